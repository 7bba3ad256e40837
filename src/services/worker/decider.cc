#include "services/worker/decider.h"

#include "eventlog/mutation.h"
namespace saffron {
namespace {

constexpr std::size_t kYoungBytes = 8 << 20;
constexpr std::size_t kMaxClasses = 2000;

std::string CacheKey(const AggregateKey& key) {
  return std::string(1, static_cast<char>(key.type)) + key.id;
}

bool NeedsClass(const Envelope& command) {
  return command.type.aggregate == AggregateType::kInstance &&
         command.type.operation != Operation::kDelete;
}

}  // namespace

std::string_view ServiceOf(std::string_view handler) {
  return handler == kInstanceWorker ? "instance-worker" : "ontology-worker";
}

void Decider::Remember(const AggregateKey& aggregate, const Outcome& outcome,
                       const Position& position) {
  young_bytes_ += aggregate.id.size() + outcome.document.size() + 200;
  young_.insert_or_assign(CacheKey(aggregate), PriorOutcome{outcome, position});
  if (young_bytes_ < kYoungBytes) return;
  old_ = std::move(young_);
  young_.clear();
  young_bytes_ = 0;
}

Result<std::optional<PriorOutcome>> Decider::PriorOf(const AggregateRow& row) {
  if (row.decided.number == SequenceNumber()) return std::optional<PriorOutcome>();
  const Position& position = row.decided.outcome.position;
  const std::string key = CacheKey(row.key);
  for (const Priors* generation : {&young_, &old_}) {
    auto found = generation->find(key);
    if (found != generation->end() && found->second.position == position) {
      return std::optional<PriorOutcome>(found->second);
    }
  }
  SAFFRON_ASSIGN(Envelope event, ReadEvent(context_, row.decided.outcome));
  SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
  return std::optional<PriorOutcome>(PriorOutcome{std::move(outcome), position});
}

Result<std::optional<OntologyClass>> Decider::StampedClass(const OntologyStamp& stamp) {
  SAFFRON_ASSIGN(std::vector<CommandRow> rows,
                 context_.registry.CommandsOf(stamp.aggregate, stamp.number, stamp.number, 1));
  // A stamp names what was decided; a registry that does not know it yet is being recovered.
  if (rows.empty() || !rows.front().outcome) {
    return Unavailable("the stamped outcome of " + stamp.aggregate.ToString() +
                       " is not in the registry yet");
  }
  SAFFRON_ASSIGN(Envelope event, ReadEvent(context_, *rows.front().outcome));
  SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
  if (outcome.lifecycle != Lifecycle::kPresent) return std::optional<OntologyClass>();
  SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(stamp.aggregate));
  DefinitionResult parsed = ParseClassDefinition(outcome.document, parts.class_id);
  if (!parsed.violations.empty()) {
    return Corrupt("the definition of " + stamp.aggregate.ToString() +
                   " in the log: " + parsed.violations.front().message);
  }
  return std::optional<OntologyClass>(
      OntologyClass{stamp.number, stamp.incarnation, std::move(parsed.definition)});
}

Result<Decider::ClassPtr> Decider::ClassOf(const Envelope& command) {
  std::string key;
  OntologyStamp database;
  std::vector<const OntologyStamp*> stamps;
  for (const OntologyStamp& stamp : command.metadata.ontology) {
    if (stamp.aggregate.type == AggregateType::kDatabase) {
      database = stamp;
      continue;
    }
    stamps.push_back(&stamp);
    key += stamp.aggregate.id + "#" + std::to_string(stamp.number.value) + "|";
  }
  SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(command.aggregate));
  key.append(parts.class_id);
  if (auto cached = classes_.find(key); cached != classes_.end()) return cached->second;
  std::map<std::string, OntologyClass> classes;
  for (const OntologyStamp* stamp : stamps) {
    SAFFRON_ASSIGN(std::optional<OntologyClass> stamped, StampedClass(*stamp));
    if (stamped) classes.emplace(stamped->definition.id, std::move(*stamped));
  }
  Ontology ontology(database, SequenceNumber(), std::move(classes));
  Result<ClassPtr> effective = ontology.Effective(parts.class_id);
  ClassPtr found = effective.ok() ? *effective : nullptr;
  if (classes_.size() >= kMaxClasses) classes_.clear();
  classes_.emplace(std::move(key), found);
  return found;
}

Result<AppendRequest> Decider::Decide(const AggregateRow& row,
                                      const std::vector<Envelope>& commands) {
  SAFFRON_ASSIGN(std::optional<PriorOutcome> prior, PriorOf(row));
  const std::uint64_t no_limit = std::uint64_t{1} << 40;
  const std::uint64_t max_bytes =
      Mutated(Mutation::kNoEventLimit) ? no_limit : context_.format.max_event_bytes;
  AppendRequest request;
  for (const Envelope& command : commands) {
    ClassPtr effective;
    if (NeedsClass(command)) {
      SAFFRON_ASSIGN(effective, ClassOf(command));
    }
    Decision decision = saffron::Decide(command, prior, effective.get());
    AppendItem item;
    item.envelope = OutcomeEnvelope(command, decision, prior,
                                    context_.runtime.WallNow().ToRfc3339(), service_, max_bytes);
    if (item.envelope.type == decision.type) {
      item.outcome = std::move(decision.outcome);
    } else {
      SAFFRON_ASSIGN(item.outcome, DecodeOutcome(item.envelope.data));
    }
    item.basis_in_request = !request.items.empty();
    prior = PriorOutcome{*item.outcome, Position()};
    request.items.push_back(std::move(item));
  }
  return request;
}

}  // namespace saffron
