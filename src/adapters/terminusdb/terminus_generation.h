// One generation of the graph: a database of its own on the server.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/terminusdb/terminus_answers.h"
#include "adapters/terminusdb/terminus_client.h"
#include "adapters/terminusdb/terminus_documents.h"
#include "adapters/terminusdb/terminus_query.h"

namespace saffron {

// kNotFound from any call: the database is gone, another generation is the live one.
class TerminusGraph::Generation {
 public:
  Generation(terminus::Client& client, Log& log, std::uint64_t number)
      : client_(client),
        log_(log),
        number_(number),
        database_(client.options().database + "_g" + std::to_string(number)) {}

  // A database of that name without nodes: the one that holds the pointer.
  Generation(terminus::Client& client, Log& log, std::string database)
      : client_(client), log_(log), number_(0), database_(std::move(database)) {}

  std::uint64_t number() const { return number_; }
  const std::string& database() const { return database_; }

  // Database, schema and a fence of that epoch. Each step may be there already.
  Status Create(std::uint64_t epoch);
  Status CreateWith(std::string_view fence_id, const std::string& state);
  Status Drop();

  Result<terminus::Fence> ReadFence();
  Status TakeOver(std::uint64_t epoch);
  Status Commit(const GraphCommit& commit);

  // Documents as they were in one commit of the server; `version` names it, empty: the newest,
  // whose name is put there.
  using Documents = std::unordered_map<std::string, terminus::StoredNode>;
  Result<Documents> Read(const std::vector<std::string>& ids, std::string& version);
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit);
  // kConflict: the graph moved on in between; run it again.
  Result<GraphResult> Query(const GraphQuery& query);
  // False when the query's conditions do not hold; then nothing was written.
  Result<bool> Swap(terminus::Woql query);

 private:
  using Versions = std::unordered_map<std::string, std::uint64_t>;
  struct Keys {
    std::string version, what;
    std::vector<AggregateKey> keys;  // in order
  };

  // The answer of a query that only reads; kConflict when `version` is given and no longer newest.
  Result<terminus::Bindings> Ask(terminus::Woql query, std::string_view first,
                                 std::string_view second, std::string& version);
  template <class OnDocument>
  Status ReadEach(const std::vector<std::string>& ids, std::string& version,
                  OnDocument on_document);
  Result<terminus::Answer> Read(std::string_view method, std::string path, std::string body,
                                std::string_view version = {});
  // Fence and versions of what is not known yet, of one commit.
  Status Learn(const std::vector<std::string>& ids);
  void Forget() { fence_.reset(), known_.clear(); }
  Result<bool> TryCommit(const GraphCommit& commit, const std::vector<const GraphNode*>& nodes);
  void OptimizeIfDue();
  Result<std::vector<AggregateKey>> ReadKeys(terminus::Woql query, std::string& version);
  // Who links to instances that are alive: at least those pairs (from, to).
  Result<terminus::QuerySource::Links> ReadLinks(const LiveScope& scope,
                                                 const std::vector<std::string>& keys,
                                                 std::string& version);

  terminus::Client& client_;
  Log& log_;
  const std::uint64_t number_;
  const std::string database_;

  std::mutex writer_mutex_;  // one commit at a time, and what it knows between two
  std::optional<terminus::Fence> fence_;
  Versions known_;  // by id, 0: a placeholder; right while the fence is fence_; bounded
  std::uint64_t commits_ = 0;

  std::mutex list_mutex_;
  Keys listed_;  // the last list, so that a page does not read all ids again
};

}  // namespace saffron
