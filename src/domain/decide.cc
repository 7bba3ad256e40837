#include "domain/decide.h"

#include <algorithm>

#include "domain/instance.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

constexpr std::size_t kMaxReserveBytes = 16 * 1024;
constexpr std::size_t kMaxReasonBytes = 1000;
constexpr std::size_t kViolationsShown = 3;

std::string Shortened(std::string text) {
  if (text.size() <= kMaxReasonBytes) return text;
  std::size_t size = kMaxReasonBytes;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  return text.append("...");
}

std::string Describe(const std::vector<Violation>& violations) {
  std::string text;
  for (std::size_t i = 0; i < violations.size() && i < kViolationsShown; ++i) {
    if (i > 0) text.append("; ");
    const Violation& violation = violations[i];
    text.append(violation.pointer.empty() ? "document" : violation.pointer);
    text.append(": ").append(violation.message);
  }
  if (violations.size() > kViolationsShown) {
    text.append("; and ").append(std::to_string(violations.size() - kViolationsShown));
    text.append(" more");
  }
  return text;
}

// The prior state as it is, with the reason.
Decision Reject(AggregateType type, const std::optional<PriorOutcome>& prior, std::string code,
                std::string message) {
  Decision decision;
  decision.type = EventType::Rejected(type);
  if (prior) {
    decision.outcome = prior->outcome;
    decision.outcome.basis = prior->position;
  }
  decision.outcome.reason_code = std::move(code);
  decision.outcome.reason_message = Shortened(std::move(message));
  return decision;
}

// One command on its way to a decision. Lives for one call of Decide.
class Deciding {
 public:
  Deciding(const Envelope& command, const std::optional<PriorOutcome>& prior,
           const EffectiveClass* effective)
      : command_(command), prior_(prior), effective_(effective) {}

  Decision Run() {
    auto parts = SplitAggregateId(command_.aggregate);
    auto data = DecodeCommandData(command_.type, command_.data);
    if (!parts.ok()) return Rejected("invalid", parts.error().message());
    if (!data.ok()) return Rejected("invalid", data.error().message());
    parts_ = *parts;
    data_ = std::move(*data);
    if (auto missing = FindScope()) return Rejected(*missing, "the command names no live parent");
    if (prior_ && scope_ < prior_->outcome.scope) {
      return Rejected("stale_scope", "its database or class was created again since");
    }
    if (command_.type.operation == Operation::kCreate) return Create();
    if (!Present()) return Rejected("not_found", command_.aggregate.ToString() + " does not exist");
    return command_.type.operation == Operation::kUpdate ? Update() : Delete();
  }

 private:
  Decision Rejected(std::string code, std::string message) const {
    return Reject(command_.type.aggregate, prior_, std::move(code), std::move(message));
  }

  // What lives under another creation of its database or class is as good as gone.
  bool Present() const {
    return prior_ && prior_->outcome.lifecycle == Lifecycle::kPresent &&
           prior_->outcome.scope == scope_;
  }

  std::optional<SequenceNumber> IncarnationOf(const AggregateKey& key) const {
    for (const OntologyStamp& stamp : command_.metadata.ontology) {
      if (stamp.aggregate == key) return stamp.incarnation;
    }
    return std::nullopt;
  }

  // Sets the scope from the stamps; the reason when one is missing.
  std::optional<std::string> FindScope() {
    if (command_.aggregate.type == AggregateType::kDatabase) return std::nullopt;
    auto database = IncarnationOf(AggregateKey::Database(parts_.db));
    if (!database) return "database_missing";
    scope_.database = *database;
    if (command_.aggregate.type == AggregateType::kOntologyClass) return std::nullopt;
    auto of_class =
        IncarnationOf(AggregateKey::OntologyClass(parts_.db, parts_.branch, parts_.class_id));
    bool needs_class = command_.type.operation != Operation::kDelete;
    if (!of_class || (needs_class && effective_ == nullptr)) return "class_missing";
    scope_.class_ = *of_class;
    return std::nullopt;
  }

  Decision Done(Lifecycle lifecycle, SequenceNumber incarnation, std::string document) const {
    Decision decision;
    decision.type = EventType::Done(command_.type.aggregate, command_.type.operation);
    decision.outcome.lifecycle = lifecycle;
    decision.outcome.incarnation = incarnation;
    decision.outcome.scope = scope_;
    decision.outcome.document = std::move(document);
    if (prior_) decision.outcome.basis = prior_->position;
    return decision;
  }

  Decision Create() const {
    if (Present()) {
      return Rejected("already_exists", command_.aggregate.ToString() + " exists already");
    }
    switch (command_.aggregate.type) {
      case AggregateType::kDatabase: return Created(DatabaseDocument());
      case AggregateType::kOntologyClass: return WithDefinition(command_.sequence_number);
      default: break;
    }
    std::string document = ApplyDefaults(*effective_, data_.body);
    auto violations = ValidateDocument(*effective_, document);
    if (!violations.empty()) return Rejected("invalid", Describe(violations));
    return Created(std::move(document));
  }

  Decision Created(std::string document) const {
    return Done(Lifecycle::kPresent, command_.sequence_number, std::move(document));
  }

  Decision Update() const {
    SequenceNumber incarnation = prior_->outcome.incarnation;
    if (command_.aggregate.type == AggregateType::kOntologyClass) {
      return WithDefinition(incarnation);
    }
    const std::string& before = prior_->outcome.document;
    auto merged = MergePatch(before, data_.body);
    if (!merged.ok()) return Rejected("invalid", merged.error().message());
    auto violations = ValidateDocument(*effective_, *merged);
    if (!violations.empty()) return Rejected("invalid", Describe(violations));
    auto old_id = InstanceIdOf(*effective_, before);
    auto new_id = InstanceIdOf(*effective_, *merged);
    if (old_id.ok() && (!new_id.ok() || *new_id != *old_id)) {
      return Rejected("invalid", "the primary key changed");
    }
    return Done(Lifecycle::kPresent, incarnation, std::move(*merged));
  }

  Decision Delete() const { return Done(Lifecycle::kAbsent, prior_->outcome.incarnation, {}); }

  Decision WithDefinition(SequenceNumber incarnation) const {
    DefinitionResult read = ParseClassDefinition(data_.body, parts_.class_id);
    if (!read.violations.empty()) return Rejected("invalid", Describe(read.violations));
    return Done(Lifecycle::kPresent, incarnation, EncodeClassDefinition(read.definition));
  }

  std::string DatabaseDocument() const {
    std::string document = R"({"name":)";
    json::AppendString(document, parts_.db);
    if (!data_.body.empty()) document.append(R"(,"description":)").append(data_.body);
    document.push_back('}');
    return document;
  }

  const Envelope& command_;
  const std::optional<PriorOutcome>& prior_;
  const EffectiveClass* const effective_;
  AggregateParts parts_;
  CommandData data_;
  Scope scope_;
};

Envelope EnvelopeOf(const Envelope& command, const Decision& decision, std::string occurred_at,
                    std::string service) {
  Envelope out;
  out.event_id = OutcomeId(command.event_id, decision.type, command.aggregate);
  out.type = decision.type;
  out.aggregate = command.aggregate;
  out.occurred_at = std::move(occurred_at);
  out.actor = command.actor;
  out.data = EncodeOutcome(decision.outcome);
  out.metadata = command.metadata;
  out.metadata.service = std::move(service);
  out.metadata.command_id = command.event_id;
  out.metadata.command_type = command.type;
  out.sequence_number = command.sequence_number;
  return out;
}

}  // namespace

Decision Decide(const Envelope& command, const std::optional<PriorOutcome>& prior,
                const EffectiveClass* effective) {
  SAFFRON_ASSERT(command.type.kind == EventKind::kCommand);
  return Deciding(command, prior, effective).Run();
}

Envelope OutcomeEnvelope(const Envelope& command, const Decision& decision,
                         const std::optional<PriorOutcome>& prior, std::string occurred_at,
                         std::string service, std::size_t max_bytes) {
  Envelope out = EnvelopeOf(command, decision, occurred_at, service);
  const std::size_t limit = max_bytes - std::min(kMaxReserveBytes, max_bytes / 8);
  if (decision.type.rejected || EncodeEnvelope(out).size() <= limit) return out;
  Decision too_large = Reject(command.type.aggregate, prior, "too_large",
                              "the outcome would be larger than an event may be");
  return EnvelopeOf(command, too_large, std::move(occurred_at), std::move(service));
}

}  // namespace saffron
