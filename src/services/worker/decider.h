// Decider: reads what a decision rests on (the outcome of n-1, the stamped ontology outcomes) and
// makes the outcomes of consecutive commands of an aggregate. Used by one thread; its caches are
// filled again from the log after a crash.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/decide.h"
#include "eventlog/append_request.h"
#include "eventlog/log_context.h"

namespace saffron {

class Decider {
 public:
  Decider(LogContext& context, std::string service)
      : context_(context), service_(std::move(service)) {}

  // `commands`: settled, consecutive, the first one follows row.decided.number. One request, all or
  // nothing. kUnavailable: try again; kCorrupt, kInternal: this aggregate cannot be decided.
  Result<AppendRequest> Decide(const AggregateRow& row, const std::vector<Envelope>& commands);

  // The outcome of n-1 was just recorded at `position`: the next decision need not read it.
  void Remember(const AggregateKey& aggregate, const Outcome& outcome, const Position& position);

 private:
  using ClassPtr = std::shared_ptr<const EffectiveClass>;

  Result<std::optional<PriorOutcome>> PriorOf(const AggregateRow& row);
  // Null: the stamped outcomes do not yield the class.
  Result<ClassPtr> ClassOf(const Envelope& command);
  Result<std::optional<OntologyClass>> StampedClass(const OntologyStamp& stamp);

  LogContext& context_;
  const std::string service_;
  // Two generations: the old one goes when the young one is full.
  using Priors = std::unordered_map<std::string, PriorOutcome>;
  Priors young_, old_;
  std::size_t young_bytes_ = 0;
  std::unordered_map<std::string, ClassPtr> classes_;  // by the stamps
};

// "instance_worker" to "instance-worker": who signs outcomes.
std::string_view ServiceOf(std::string_view handler);

}  // namespace saffron
