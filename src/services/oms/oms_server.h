// OmsServer: the HTTP side of the OMS: routes, roles, limits, metrics.
//
// Owned by whoever composes the process. Order of an end: StopServing, then AppendLog::Stop (its
// completions still answer through here), then the destructor. Nothing of it survives a crash.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "services/oms/admin_operations.h"
#include "services/oms/auth.h"
#include "services/oms/command_service.h"
#include "services/oms/event_stream.h"
#include "services/oms/health.h"
#include "services/oms/progress.h"
#include "services/oms/read_service.h"

namespace saffron {

struct OmsOptions {
  HttpServerOptions http;  // its max_body_bytes is set from below
  AuthOptions auth;        // CheckAuthOptions is the caller's business
  Duration request_timeout = seconds(10);
  std::size_t max_body_bytes = 1 << 20;
  std::size_t max_bulk_body_bytes = 16 << 20;
  int write_tasks = 4;
  int read_tasks = 8;
  PointReads point_reads = PointReads::kOnTasks;
  EventStreams::Options streams;
  HealthMonitor::Options health;
  std::string version = "0.1.0";
};

// What it works on; all of it outlives the server.
struct OmsParts {
  LogContext& context;
  AppendLog& log;
  ClaimRegistry& claims;
  GraphStore& graph;
  SearchIndex& search;
  Metrics& metrics;
  AdminOperations* admin = nullptr;  // may be null
  std::vector<HealthCheck> health;
  SearchPassed search_passed;  // required
};

class OmsServer {
 public:
  static Result<std::unique_ptr<OmsServer>> Open(OmsParts parts, OmsOptions options);
  ~OmsServer();

  std::uint16_t port() const;
  // The same writes without HTTP.
  CommandService& commands();
  // Takes no more requests, lets those that run finish until `timeout`, ends the rest.
  void StopServing(Duration timeout);

 private:
  struct Impl;
  explicit OmsServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace saffron
