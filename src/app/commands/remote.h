// Commands that talk to a running server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/api_client.h"
#include "app/console.h"

namespace saffron {

enum class OutputFormat { kText, kJson };

struct RemoteOptions {
  ApiOptions api;
  OutputFormat output = OutputFormat::kText;
};

struct QueryOptions {
  std::string db;
  std::string class_id;            // empty: any class
  std::vector<std::string> where;  // "qty >= 3", "status = PAID"
  std::string text;
  std::string sort;               // "field" or "-field"
  std::vector<std::string> hops;  // "predicate:Target"; any: a graph query
  bool paths = false;             // of a graph query: each way through it, not the nodes
  std::string instance_id;        // set: one document
  int limit = 20;
  std::string cursor;
};

struct DlqOptions {
  std::string action;  // list, show, replay, discard
  std::string handler;
  std::string aggregate_type, aggregate_id;
  std::string reason;
};

enum class Repair { kNothing, kIndex, kRegistry };
struct VerifyRequest {
  std::uint64_t from_slot = 0;   // 0: the first
  std::uint64_t sample = 0;      // 0: every slot
  std::uint64_t memory_mib = 0;  // 0: as the server likes
  Repair repair = Repair::kNothing;
};

// Each returns an ExitCode.
int RunStatus(const RemoteOptions& remote, Console console);
int RunQuery(const RemoteOptions& remote, const QueryOptions& query, Console console);
int RunDlq(const RemoteOptions& remote, const DlqOptions& options, Console console);
// kExitFailed when the server finds a difference.
int RunVerify(const RemoteOptions& remote, const VerifyRequest& request, Console console);
int RunRebuild(const RemoteOptions& remote, const std::string& target, Console console);

// One filter of a query as JSON; kInvalid when it is not "field op value".
Result<std::string> FilterJson(std::string_view where);

}  // namespace saffron
