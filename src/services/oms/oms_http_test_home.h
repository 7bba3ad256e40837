// A whole OMS on memory ports behind HTTP over loopback, with a decider and sinks that follow the
// log, for tests.
#pragma once

#include <simdjson.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_search.h"
#include "net/http_client.h"
#include "services/oms/oms_server.h"
#include "services/oms/oms_test_home.h"
#include "services/oms/route_table.h"

namespace saffron {

// A JSON answer.
class Reply {
 public:
  int status = 0;
  HttpHeaders headers;
  std::string body;

  // The value at a JSON pointer, minified; "missing".
  std::string At(std::string_view pointer) const;
  std::string Text(std::string_view pointer) const;  // of a string, without quotes
  std::uint64_t Number(std::string_view pointer) const;
};

class OmsHttpHome {
 public:
  explicit OmsHttpHome(OmsOptions options = {}, AdminOperations* admin = nullptr);
  ~OmsHttpHome();

  // Each answer is held against its route's schema; a mismatch fails the test.
  Reply Do(std::string_view method, std::string_view target, std::string_view body = "",
           HttpHeaders headers = {});
  Reply Get(std::string_view target) { return Do("GET", target); }
  Reply Post(std::string_view target, std::string_view body) { return Do("POST", target, body); }
  // The same without a content type of its own, and without the check of the schema.
  Reply Raw(std::string_view method, std::string_view target, std::string_view body,
            HttpHeaders headers);
  // What is wrong with an answer of that route by its schema; empty: nothing.
  static std::string ProblemOf(const Reply& reply, const RouteSpec& route);
  // From now on commands are decided and sinks follow.
  void KeepFollowing();
  // The database "logistics" and class Order, through HTTP, in the sinks.
  void MakeOrders();

  std::string url() const;
  const std::set<std::string>& served() const { return served_; }

  OmsTestHome write_side;
  MemoryGraph graph;
  MemorySearch search;
  Metrics metrics;
  std::atomic<bool> healthy{true};  // what the only health check says
  std::unique_ptr<OmsServer> server;

 private:
  void Follow();
  void Fold(const Slot& slot);
  void HoldAgainstSchema(const Reply& reply, std::string_view method, std::string_view target);

  std::unique_ptr<HttpClient> client_;
  std::set<std::string> served_;             // operations that answered 2xx
  std::atomic<std::uint64_t> projected_{0};  // slots
  TaskGroup followers_;
};

}  // namespace saffron
