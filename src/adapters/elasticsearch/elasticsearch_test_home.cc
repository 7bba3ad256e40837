#include "adapters/elasticsearch/elasticsearch_test_home.h"

#include <sstream>

namespace saffron {

ElasticsearchHome::~ElasticsearchHome() {
  for (const std::string& index : Indexes()) Ask("DELETE", index);
  Ask("DELETE", "_index_template/" + options_.prefix + ".v1");
}

std::string ElasticsearchHome::Ask(std::string method, const std::string& path, std::string body) {
  auto client = HttpClient::Open({});
  if (!client.ok()) return {};
  HttpClientRequest request;
  request.method = std::move(method);
  request.url = options_.url + "/" + path;
  if (!body.empty()) request.headers.Add("Content-Type", "application/json");
  request.body = std::move(body);
  auto response = (*client)->Do(request, seconds(30));
  return response.ok() ? response->body : "";
}

std::set<std::string> ElasticsearchHome::Indexes() {
  std::istringstream lines(Ask("GET", "_cat/indices/" + options_.prefix + "*?h=index"));
  std::set<std::string> names;
  for (std::string name; lines >> name;) names.insert(name);
  return names;
}

SearchDocument OrderDocument(const std::string& name, std::uint64_t version, std::string json) {
  SearchDocument document;
  document.key = AggregateKey::Instance("db-1", "main", "Order", name);
  document.version = SequenceNumber(version);
  document.lifecycle = Lifecycle::kPresent;
  document.scope = {SequenceNumber(1), SequenceNumber(2)};
  document.document = std::move(json);
  return document;
}

std::uint64_t VersionOf(SearchIndex& index, const std::string& name) {
  const AggregateKey key = OrderDocument(name, 1).key;
  EXPECT_TRUE(index.Refresh().ok());
  auto found = index.Get({key});
  EXPECT_TRUE(found.ok()) << found.error().ToString();
  return found.ok() && found->contains(key) ? found->at(key).version.value : 0;
}

}  // namespace saffron
