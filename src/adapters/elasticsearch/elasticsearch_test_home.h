// A search index of its own on a real server, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "adapters/elasticsearch/elasticsearch_index.h"
#include "base/thread_runtime.h"
#include "testing/contract/search_index_contract.h"
#include "testing/servers/real_server.h"

namespace saffron {

// The address of the server of the whole program: of ELASTICSEARCH_URL when it is set. Empty: none.
inline std::string ElasticsearchAddress() {
  if (const char* named = std::getenv("ELASTICSEARCH_URL")) return named;
  RealServer* server = SharedServer("opensearch");
  return server != nullptr ? server->address() : "";
}

// Each home has a prefix of its own, whose indexes it removes at its end.
class ElasticsearchHome final : public SearchIndexHome {
 public:
  explicit ElasticsearchHome(std::string url) {
    options_.url = std::move(url);
    options_.prefix = "test-" + runtime_.NewUuid().ToString();
  }
  ~ElasticsearchHome() override;

  std::shared_ptr<SearchIndex> Open() override {
    auto index = ElasticsearchIndex::Open(options_, runtime_, log_);
    EXPECT_TRUE(index.ok()) << index.error().ToString();
    return index.ok() ? std::shared_ptr<SearchIndex>(std::move(*index)) : nullptr;
  }
  ElasticsearchOptions& options() { return options_; }
  ThreadRuntime& runtime() { return runtime_; }
  Log& log() { return log_; }
  // A request of the test's own; the body of the answer.
  std::string Ask(std::string method, const std::string& path, std::string body = {});
  // Names of the indexes there are.
  std::set<std::string> Indexes();

 private:
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  ElasticsearchOptions options_;
};

// An instance of db-1, main, Order that lives under the scope (1, 2).
SearchDocument OrderDocument(const std::string& name, std::uint64_t version,
                             std::string json = "{}");
// The version of that instance; 0: there is none.
// After a refresh; 0: not there.
std::uint64_t VersionOf(SearchIndex& index, const std::string& name);

}  // namespace saffron
