// The graph store on a TerminusDB server.
//
// Databases on the server: one a generation, "{database}_g{n}", and "{database}", whose one
// document names the live one. In a generation every aggregate is a document, and so is everything
// that is only pointed at (a placeholder, version 0); the document "Fence/writer" holds epoch and
// position, and every commit is one transaction that matches it, replaces it and writes the nodes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/runtime.h"
#include "ports/graph_store.h"
#include "ports/when_missing.h"

namespace saffron {

struct TerminusGraphOptions {
  enum class VerifyTls { kYes, kNo };

  std::string url;                // TERMINUS_SERVER_URL: http(s)://host[:port], no user in it
  std::string account = "admin";  // TERMINUS_ACCOUNT: the organization that holds the databases
  std::string user = "admin";     // TERMINUS_USER
  std::string key;                // TERMINUS_KEY: the user's password; in no message
  std::string database = "saffron";
  WhenMissing when_missing = WhenMissing::kMake;
  std::string ca_file;  // empty: the system's
  VerifyTls verify_tls = VerifyTls::kYes;

  Duration connect_timeout = seconds(5);
  Duration read_timeout = seconds(30);
  Duration write_timeout = seconds(120);
  std::size_t max_requests = 4;        // at once; a server has as many workers as cores
  std::uint64_t optimize_every = 200;  // commits; 0: never
};

// Owned by the process's wiring; any thread may call it. Commits of one store go one by one; a
// commit of another process with an old epoch changes nothing. What survives a crash of this
// process, or of the server, is every commit that was acknowledged, whole.
class TerminusGraph final : public GraphStore {
 public:
  // Makes the databases when they are not there. kInvalid: the options make no sense, or the server
  // refuses user and key; kUnavailable: the server does not answer; kNotFound: they were not to be
  // made. `log` and `runtime` outlive it.
  static Result<std::unique_ptr<TerminusGraph>> Open(TerminusGraphOptions options, Runtime& runtime,
                                                     Log& log);
  ~TerminusGraph() override;

  Result<GraphState> State() override;
  Status TakeOver(std::uint64_t epoch) override;
  Status Commit(const GraphCommit& commit) override;
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override;
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit) override;
  Result<GraphResult> Query(const GraphQuery& query) override;
  Result<std::unique_ptr<GraphStore>> NewGeneration() override;
  Status Activate(GraphStore& next) override;

 private:
  class Server;      // requests, and the pointer to the live generation
  class Generation;  // one database
  enum class Follows { kPointer, kNothing };

  TerminusGraph(std::shared_ptr<Server> server, std::shared_ptr<Generation> live, Follows follows);
  // The live generation; another process may have made another one live.
  Result<std::shared_ptr<Generation>> Live();
  void LookAgain();
  // `call` on the live generation, and once more when that turns out to be gone.
  template <class Call>
  auto OnLive(const Call& call) -> decltype(call(std::declval<Generation&>()));
  Status DropUnfinished(std::uint64_t live, std::uint64_t& newest);

  const std::shared_ptr<Server> server_;
  const Follows follows_;
  std::mutex mutex_;
  std::shared_ptr<Generation> live_;
  std::optional<Instant> looked_at_;      // when the pointer was read
  std::weak_ptr<Generation> unfinished_;  // the newest one made here
};

}  // namespace saffron
