#include "services/oms/command_plan.h"

#include <algorithm>

#include "domain/instance.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

EventType TypeOf(const WriteCommand& command) {
  return EventType::Requested(command.type, command.operation);
}

std::uint32_t TransactionSize(const WriteRequest& request) {
  const bool counts = request.kind == WriteKind::kTransaction ||
                      (request.kind == WriteKind::kBulk && Mutated(Mutation::kHashOfTheRequest));
  return counts ? static_cast<std::uint32_t>(request.commands.size()) : 0;
}

std::string DataOf(const WriteCommand& command) {
  CommandData data;
  if (!command.body.empty()) data.body = MinifyJson(command.body);
  if (!command.metadata.empty()) data.metadata = MinifyJson(command.metadata);
  data.force = command.force;
  return EncodeCommandData(TypeOf(command), data);
}

// One command on its way into the log. Lives for one call of PlanCommand.
class Planner {
 public:
  Planner(const PlanContext& context, std::size_t index)
      : context_(context),
        request_(context.request),
        command_(context.request.commands[index]),
        index_(index) {}

  CommandPlan Run() {
    Envelope& envelope = plan_.item.envelope;
    envelope.event_id = CommandIdOf(request_, index_);
    envelope.type = TypeOf(command_);
    bool planned = command_.type == AggregateType::kDatabase        ? PlanDatabase()
                   : command_.type == AggregateType::kOntologyClass ? PlanClass()
                                                                    : PlanInstance();
    if (planned) Finish();
    return std::move(plan_);
  }

 private:
  bool PlanDatabase() {
    plan_.item.envelope.aggregate = AggregateKey::Database(request_.db);
    return true;
  }

  bool PlanClass() {
    plan_.item.envelope.aggregate = ClassKey(command_.class_id);
    if (context_.ontology == nullptr) return RefuseDatabase();
    const Ontology& ontology = *context_.ontology;
    plan_.item.envelope.metadata.ontology_head = ontology.head().Next();
    Stamp(ontology.database());
    const OntologyClass* existing = ontology.Find(command_.class_id);
    if (existing != nullptr) StampClass(command_.class_id);
    // A class that is not there: admission says whether it is a 404 or a 409. The head that is
    // stamped keeps this snapshot and that answer of one moment.
    if (existing == nullptr && command_.operation != Operation::kCreate) return true;
    if (command_.operation == Operation::kDelete) return PlanClassDelete(ontology);
    DefinitionResult read = ParseClassDefinition(command_.body, command_.class_id);
    if (!read.violations.empty()) return RefuseLint(std::move(read.violations), false);
    std::vector<Violation> found = ontology.Lint(read.definition, command_.operation);
    if (!found.empty()) return RefuseLint(std::move(found), true);
    std::string_view parent = read.definition.parent_class;
    while (!parent.empty() && StampClass(parent)) {
      parent = ontology.Find(parent)->definition.parent_class;
    }
    for (const Relationship& relationship : read.definition.relationships) {
      StampClass(relationship.target);
    }
    return true;
  }

  bool PlanClassDelete(const Ontology& ontology) {
    std::vector<std::string> dependents = ontology.Dependents(command_.class_id);
    if (dependents.empty()) return true;
    PlanRefusal refusal;
    refusal.code = WriteCode::kClassInUse;
    refusal.count = dependents.size();
    refusal.message = "other classes inherit from it or point at it: ";
    for (std::size_t i = 0; i < dependents.size() && i < 10; ++i) {
      refusal.message.append(i > 0 ? ", " : "").append(dependents[i]);
    }
    refusal.depends_on_head = true;
    return Refuse(std::move(refusal));
  }

  bool PlanInstance() {
    if (context_.ontology == nullptr) return RefuseDatabase();
    const Ontology& ontology = *context_.ontology;
    auto effective = ontology.Effective(command_.class_id);
    if (!effective.ok()) {
      PlanRefusal refusal;
      refusal.code = WriteCode::kUnknownClass;
      refusal.message = effective.error().message();
      refusal.depends_on = {AggregateKey::Database(request_.db), ClassKey(command_.class_id)};
      return Refuse(std::move(refusal));
    }
    plan_.item.envelope.metadata.ontology =
        ontology.StampsFor(request_.db, request_.branch, command_.class_id);
    const EffectiveClass& type = **effective;
    if (command_.operation == Operation::kCreate) return PlanCreate(type);
    SetInstance(command_.instance_id);
    if (command_.operation == Operation::kDelete) return true;
    return Accept(ValidatePatch(type, command_.body));
  }

  bool PlanCreate(const EffectiveClass& type) {
    Result<std::string> derived = InstanceIdOf(type, command_.body);
    if (!derived.ok()) return Accept({{"", "key_component", derived.error().message()}});
    std::string id = std::move(*derived);
    if (!id.empty() && !command_.instance_id.empty() && id != command_.instance_id) {
      return Accept({{"", "id_mismatch", "the document's key gives the id \"" + id + "\""}});
    }
    if (id.empty()) id = command_.instance_id;
    if (id.empty()) id = plan_.item.envelope.event_id.ToString();
    Status named = CheckInstanceId(id);
    if (!named.ok()) return Accept({{"", "instance_id", named.error().message()}});
    SetInstance(id);
    return Accept(ValidateDocument(type, command_.body));
  }

  void SetInstance(std::string_view id) {
    plan_.item.envelope.aggregate =
        AggregateKey::Instance(request_.db, request_.branch, command_.class_id, id);
  }

  // Everything that admission needs beside stamps and the key.
  void Finish() {
    Envelope& envelope = plan_.item.envelope;
    envelope.occurred_at = context_.occurred_at;
    envelope.actor = request_.actor;
    envelope.data = DataOf(command_);
    EventMetadata& metadata = envelope.metadata;
    metadata.service = "oms";
    metadata.command_id = envelope.event_id;
    metadata.command_type = envelope.type;
    metadata.traceparent = request_.traceparent;
    if (request_.kind == WriteKind::kTransaction) {
      metadata.transaction = TransactionPart{
          request_.request_id, static_cast<std::uint32_t>(index_), TransactionSize(request_)};
    }
    plan_.item.expected_seq = command_.expected_seq;
    plan_.item.force = command_.force;
    Result<Sha256Digest> hash =
        RequestHash(envelope.type, envelope.aggregate, command_.expected_seq, envelope.data,
                    TransactionSize(request_));
    if (hash.ok()) {
      metadata.request_sha256 = *hash;
    } else {
      Accept({{"", "wrong_type", hash.error().message()}});
    }
  }

  AggregateKey ClassKey(std::string_view id) const {
    return AggregateKey::OntologyClass(request_.db, request_.branch, id);
  }

  void Stamp(OntologyStamp stamp) {
    std::vector<OntologyStamp>& stamps = plan_.item.envelope.metadata.ontology;
    if (std::find(stamps.begin(), stamps.end(), stamp) == stamps.end()) {
      stamps.push_back(std::move(stamp));
    }
  }

  // False when there is no such class (a new class that points at itself).
  bool StampClass(std::string_view id) {
    const OntologyClass* found = context_.ontology->Find(id);
    if (found == nullptr) return false;
    Stamp({ClassKey(id), found->incarnation, found->number});
    return true;
  }

  bool Refuse(PlanRefusal refusal) {
    plan_.refusal = std::move(refusal);
    return false;
  }

  bool RefuseDatabase() {
    PlanRefusal refusal;
    refusal.code = WriteCode::kUnknownDatabase;
    refusal.message = "there is no database \"" + request_.db + "\"";
    refusal.depends_on = {AggregateKey::Database(request_.db)};
    return Refuse(std::move(refusal));
  }

  bool RefuseLint(std::vector<Violation> violations, bool by_snapshot) {
    PlanRefusal refusal;
    refusal.message = "the class definition is not valid";
    refusal.violations = std::move(violations);
    if (by_snapshot) refusal.depends_on = {AggregateKey::Database(request_.db)};
    refusal.depends_on_head = by_snapshot;
    return Refuse(std::move(refusal));
  }

  // True without violations.
  bool Accept(std::vector<Violation> violations) {
    if (violations.empty()) return true;
    PlanRefusal refusal;
    refusal.message = "the document is not valid for class " + command_.class_id;
    if (command_.operation == Operation::kUpdate) {
      refusal.message = "the patch is not valid for class " + command_.class_id;
    }
    refusal.violations = std::move(violations);
    for (const OntologyStamp& stamp : plan_.item.envelope.metadata.ontology) {
      refusal.depends_on.push_back(stamp.aggregate);
    }
    return Refuse(std::move(refusal));
  }

  const PlanContext& context_;
  const WriteRequest& request_;
  const WriteCommand& command_;
  const std::size_t index_;
  CommandPlan plan_;
};

}  // namespace

EventId CommandIdOf(const WriteRequest& request, std::size_t index) {
  if (request.kind == WriteKind::kSingle) return request.request_id;
  if (!request.keyed && Mutated(Mutation::kItemsOfOtherIds)) {
    return ItemCommandId(ItemCommandId(request.request_id, 0), static_cast<std::uint32_t>(index));
  }
  return ItemCommandId(request.request_id, static_cast<std::uint32_t>(index));
}

CommandPlan PlanCommand(const PlanContext& context, std::size_t index) {
  return Planner(context, index).Run();
}

std::optional<Sha256Digest> HashOnAggregate(const WriteRequest& request, std::size_t index,
                                            const AggregateKey& aggregate) {
  const WriteCommand& command = request.commands[index];
  if (aggregate.type != command.type) return std::nullopt;
  Result<AggregateParts> parts = SplitAggregateId(aggregate);
  if (!parts.ok() || parts->db != request.db) return std::nullopt;
  if (command.type != AggregateType::kDatabase &&
      (parts->branch != request.branch || parts->class_id != command.class_id)) {
    return std::nullopt;
  }
  if (!command.instance_id.empty() && parts->instance != command.instance_id) return std::nullopt;
  Result<Sha256Digest> hash = RequestHash(TypeOf(command), aggregate, command.expected_seq,
                                          DataOf(command), TransactionSize(request));
  if (!hash.ok()) return std::nullopt;
  return *hash;
}

const UndecidedChange* BlockerOf(const PlanRefusal& refusal, const OntologyView& view) {
  for (const AggregateKey& key : refusal.depends_on) {
    if (const UndecidedChange* change = view.FindUndecided(key)) return change;
  }
  if (!refusal.depends_on_head || !view.head_undecided) return nullptr;
  for (const UndecidedChange& change : view.undecided) {
    if (change.aggregate.type == AggregateType::kOntologyClass) return &change;
  }
  return nullptr;
}

}  // namespace saffron
