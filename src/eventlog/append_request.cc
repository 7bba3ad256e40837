#include "eventlog/append_request.h"

namespace saffron {

Scope ScopeOf(const Envelope& event) {
  Scope scope;
  if (event.aggregate.type == AggregateType::kDatabase) return scope;
  for (const OntologyStamp& stamp : event.metadata.ontology) {
    if (stamp.aggregate.type == AggregateType::kDatabase) {
      scope.database = stamp.incarnation;
    } else if (event.aggregate.type == AggregateType::kInstance &&
               event.aggregate.id.starts_with(stamp.aggregate.id + ":")) {
      // "db:branch:class:" is a prefix of its own instances only: the three hold no ':'.
      scope.class_ = stamp.incarnation;
    }
  }
  return scope;
}

AcceptedEffect EffectOf(const Envelope& command) {
  bool present = command.type.operation != Operation::kDelete;
  return {present ? Lifecycle::kPresent : Lifecycle::kAbsent, ScopeOf(command)};
}

std::optional<AggregateKey> HeadOf(const Envelope& event) {
  if (event.aggregate.type != AggregateType::kOntologyClass) return std::nullopt;
  if (event.metadata.ontology_head == SequenceNumber()) return std::nullopt;
  Result<AggregateParts> parts = SplitAggregateId(event.aggregate);
  if (!parts.ok()) return std::nullopt;
  return AggregateKey::OntologyHead(parts->db, parts->branch);
}

}  // namespace saffron
