#include <gtest/gtest.h>

#include <memory>

#include "adapters/elasticsearch/elasticsearch_test_home.h"

namespace saffron {
namespace {

std::shared_ptr<SearchIndexHome> MakeHome() {
  const std::string address = ElasticsearchAddress();
  if (address.empty()) return nullptr;
  return std::make_shared<ElasticsearchHome>(address);
}

INSTANTIATE_SEARCH_INDEX_CONTRACT(Elasticsearch, MakeHome);

}  // namespace
}  // namespace saffron
