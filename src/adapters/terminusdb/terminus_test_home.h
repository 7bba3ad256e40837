// A graph on the double of a TerminusDB server, or on a real one, for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "adapters/terminusdb/terminus_client.h"
#include "adapters/terminusdb/terminus_graph.h"
#include "base/thread_runtime.h"
#include "net/http_client.h"
#include "testing/contract/graph_store_contract.h"
#include "testing/servers/real_server.h"

namespace saffron {

inline HttpResponse AskHttp(const std::string& method, const std::string& url,
                            const std::string& body = {}, const HttpHeaders& headers = {}) {
  auto http = HttpClient::Open({});
  HttpClientRequest request{method, url, headers, body};
  if (!body.empty()) request.headers.Add("Content-Type", "application/json");
  auto response = (*http)->Do(request, seconds(60));
  if (!response.ok()) return {.status = 0, .headers = {}, .body = response.error().message()};
  return *response;
}

// The port of the double that plans faults (terminusdb_faults.py): the one after its own.
class TerminusControl {
 public:
  explicit TerminusControl(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    url_ = address.substr(0, colon + 1) + std::to_string(std::stoi(address.substr(colon + 1)) + 1);
  }
  void Fault(const std::string& fault) { Post("/fault", fault); }
  void WaitHeld() { Post("/held", "{}"); }
  void Release() { Post("/release", "{}"); }
  std::string Seen() { return AskHttp("GET", url_ + "/seen").body; }
  std::string Untaught() { return AskHttp("GET", url_ + "/untaught").body; }
  // How many requests of a shape like "POST /api/woql" there were.
  int Seen(const std::string& shape) {
    const std::string seen = Seen();
    const std::size_t at = seen.find("\"" + shape + "\": ");
    return at == std::string::npos ? 0 : std::atoi(seen.c_str() + at + shape.size() + 4);
  }

 private:
  void Post(const std::string& path, const std::string& body) {
    EXPECT_EQ(AskHttp("POST", url_ + path, body).status, 200) << path << " " << body;
  }
  std::string url_;
};

inline TerminusGraphOptions OptionsOfDouble(const std::string& address) {
  static std::atomic<int> homes{0};
  TerminusGraphOptions options;
  options.url = address;
  options.key = "root";
  options.database = "saffron_test_" + std::to_string(::getpid()) + "_" + std::to_string(++homes);
  return options;
}

// TERMINUS_SERVER_URL and its companions; an empty URL: there is no real server.
inline TerminusGraphOptions OptionsOfRealServer() {
  auto variable = [](const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && *value != '\0' ? value : otherwise);
  };
  TerminusGraphOptions options = OptionsOfDouble(variable("TERMINUS_SERVER_URL", ""));
  options.user = variable("TERMINUS_USER", "admin");
  options.account = variable("TERMINUS_ACCOUNT", "admin");
  options.key = variable("TERMINUS_KEY", "root");
  return options;
}

// Its databases are dropped with it.
class TerminusHome final : public GraphStoreHome {
 public:
  explicit TerminusHome(TerminusGraphOptions options) : options_(std::move(options)) {}
  ~TerminusHome() override {
    auto client = terminus::Client::Open(options_);
    auto drop = [&](const std::string& database) {
      return (*client)->Write("DELETE", (*client)->Path("db", database), {});
    };
    (void)drop(options_.database);
    for (int number = 1; number < 20; ++number) {
      (void)drop(options_.database + "_g" + std::to_string(number));
    }
  }

  std::shared_ptr<GraphStore> Open() override { return OpenGraph(); }
  std::shared_ptr<TerminusGraph> OpenGraph() {
    auto graph = TerminusGraph::Open(options_, runtime_, log_);
    if (!graph.ok()) ADD_FAILURE() << graph.error().ToString();
    SAFFRON_ASSERT(graph.ok());
    return std::move(*graph);
  }
  const TerminusGraphOptions& options() const { return options_; }
  TerminusGraphOptions& options() { return options_; }

 private:
  TerminusGraphOptions options_;
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

}  // namespace saffron
