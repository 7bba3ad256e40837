// LiveScopes: which databases and classes are alive, kept while the graph says that none changed.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "ports/graph_store.h"

namespace saffron {

using LiveScopePtr = std::shared_ptr<const LiveScope>;

// Owned by the OMS; any thread. What it answers is of a moment after the call began, exactly: what
// is kept is used only under the GraphState::ontology_version that it was read under, and each call
// asks for that first. So what a deletion ended is never alive for a call that began after the
// graph showed the deletion. Nothing survives a crash.
class LiveScopes {
 public:
  // At most `capacity` branches are kept; any one is dropped for another.
  explicit LiveScopes(GraphStore& graph, std::size_t capacity = 1000)
      : graph_(graph), capacity_(capacity) {}

  // kNotFound when there is no such database.
  Result<LiveScopePtr> Of(std::string_view db, std::string_view branch);
  // The same without reading the graph's nodes; null when it is not kept.
  Result<LiveScopePtr> Kept(std::string_view db, std::string_view branch);

 private:
  struct Entry {
    std::string generation;
    std::uint64_t version = 0;
    LiveScopePtr scope;
  };

  LiveScopePtr Find(std::string_view key, const GraphState& state) const;
  void Keep(std::string key, const GraphState& state, const LiveScopePtr& scope);
  Result<LiveScopePtr> Load(std::string_view db, std::string_view branch);

  GraphStore& graph_;
  const std::size_t capacity_;
  mutable std::mutex mutex_;                        // never held across a port call
  std::map<std::string, Entry, std::less<>> kept_;  // by "db:branch"
};

}  // namespace saffron
