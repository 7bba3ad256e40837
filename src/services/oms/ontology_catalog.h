// OntologyCatalog: what the OMS validates against. Immutable snapshots of the decided classes of
// each (db, branch), cached.
//
// Owned by the OMS; any thread may call it. Nothing survives a crash: it is read again from the
// registry and the log. A snapshot may be behind: admission compares the stamps, and a negative
// answer needs a refresh that started after the request arrived.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ontology.h"
#include "eventlog/log_context.h"

namespace saffron {

// A database or class with a change that is accepted and not decided, or not even settled.
struct UndecidedChange {
  AggregateKey aggregate;
  SequenceNumber number;  // of the change; 0 when it is not settled: nobody may name it yet
  friend bool operator==(const UndecidedChange&, const UndecidedChange&) = default;
};

// What the registry says about one branch, at some moment after `started`.
struct OntologyView {
  Instant started;
  std::shared_ptr<const Ontology> ontology;  // null: there is no such database
  std::vector<UndecidedChange> undecided;    // ordered: the database, then classes by id
  bool head_undecided = false;               // some class command of the branch is undecided

  const UndecidedChange* FindUndecided(const AggregateKey& aggregate) const;
};
using OntologyViewPtr = std::shared_ptr<const OntologyView>;

class OntologyCatalog {
 public:
  // At most `capacity` branches are cached; any one is dropped for another.
  explicit OntologyCatalog(LogContext& context, std::size_t capacity = 1000)
      : context_(context), capacity_(capacity) {}

  // No I/O. Null when nothing is cached, or when the database was absent.
  std::shared_ptr<const Ontology> Cached(std::string_view db, std::string_view branch) const;
  // The same with what was undecided then.
  OntologyViewPtr CachedView(std::string_view db, std::string_view branch) const;
  // Reads the registry, and the outcomes of the classes that changed since. kUnavailable, kCorrupt.
  Result<OntologyViewPtr> Refresh(std::string_view db, std::string_view branch);

 private:
  struct Heads {
    AggregateRow database;
    AggregateRow head;
  };

  Result<Heads> ReadHeads(std::string_view db, std::string_view branch) const;
  Result<std::vector<AggregateRow>> ListClasses(std::string_view db, std::string_view branch) const;
  Result<OntologyClass> LoadClass(const AggregateRow& row, std::string_view class_id,
                                  const Ontology* known) const;
  Result<std::shared_ptr<const Ontology>> Build(const Heads& heads,
                                                const std::vector<AggregateRow>& rows,
                                                const OntologyViewPtr& known) const;
  void Store(std::string_view db, std::string_view branch, const OntologyViewPtr& view);

  LogContext& context_;
  const std::size_t capacity_;
  mutable std::mutex mutex_;                                   // never held across a port call
  std::map<std::string, OntologyViewPtr, std::less<>> views_;  // by "db:branch"
};

}  // namespace saffron
