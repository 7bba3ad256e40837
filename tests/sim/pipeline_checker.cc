#include "tests/sim/pipeline_checker.h"

#include <simdjson.h>

#include <optional>

namespace saffron {
namespace {

using Fields = std::map<std::string, std::string>;

// The members of a flat JSON object, values as text.
Fields FieldsOf(const std::string& json) {
  Fields fields;
  thread_local simdjson::dom::parser parser;
  simdjson::dom::object object;
  SAFFRON_ASSERT(parser.parse(json).get(object) == simdjson::SUCCESS);
  for (auto member : object) fields[std::string(member.key)] = simdjson::minify(member.value);
  return fields;
}

// What an aggregate must be after each outcome.
struct Model {
  bool present = false;
  Scope scope;  // it is present in this incarnation of its database and class only
  Fields fields;
  std::string document;  // of classes and databases: as the last outcome says
  SequenceNumber incarnation;
};

// The incarnations of its database and its class that a command is stamped with.
Scope StampedScope(const Envelope& command) {
  Scope scope;
  for (const OntologyStamp& stamp : command.metadata.ontology) {
    if (stamp.aggregate.type == AggregateType::kDatabase) scope.database = stamp.incarnation;
    const bool own_class = command.aggregate.type == AggregateType::kInstance &&
                           command.aggregate.id.starts_with(stamp.aggregate.id + ":") &&
                           stamp.aggregate.type == AggregateType::kOntologyClass;
    if (own_class) scope.class_ = stamp.incarnation;
  }
  return scope;
}

std::string NameOf(const Envelope& envelope) {
  return envelope.aggregate.ToString() + " " + std::to_string(envelope.sequence_number.value);
}

class Decisions {
 public:
  explicit Decisions(const std::set<std::string>& excused) : excused_(excused) {}

  void Add(const LoggedEvent& event) {
    const Envelope& envelope = event.envelope;
    if (envelope.type.kind == EventKind::kCommand) {
      open_.emplace(envelope.event_id, envelope);
      return;
    }
    auto command = open_.find(envelope.metadata.command_id);
    if (command == open_.end()) {
      return Violation("an outcome of no open command: " + NameOf(envelope));
    }
    Judge(command->second, event);
    open_.erase(command);
  }

  Violations Finish() {
    for (const auto& [id, command] : open_) Violation("never decided: " + NameOf(command));
    return std::move(violations_);
  }

 private:
  void Violation(std::string what) { violations_.push_back(std::move(what)); }

  void Judge(const Envelope& command, const LoggedEvent& event) {
    const Envelope& envelope = event.envelope;
    const Outcome& outcome = *event.outcome;
    if (envelope.aggregate != command.aggregate ||
        envelope.sequence_number != command.sequence_number) {
      Violation("an outcome of another aggregate or number: " + NameOf(envelope));
    }
    Model& model = models_[command.aggregate];
    const bool create = command.type.operation == Operation::kCreate;
    const bool there = model.present && model.scope == StampedScope(command);
    const bool possible = there != create;
    if (envelope.type.rejected) {
      const std::string expected = create ? "already_exists" : "not_found";
      if (!(!possible && outcome.reason_code == expected) &&
          !(possible && excused_.contains(outcome.reason_code))) {
        Violation("rejected as " + outcome.reason_code + ": " + NameOf(envelope));
      }
    } else if (!possible) {
      Violation("applied although it cannot be: " + NameOf(envelope));
    } else {
      Apply(command, outcome, model);
    }
    Compare(envelope, outcome, model);
  }

  void Apply(const Envelope& command, const Outcome& outcome, Model& model) {
    const Operation operation = command.type.operation;
    if (operation == Operation::kCreate) model.incarnation = command.sequence_number;
    model.present = operation != Operation::kDelete;
    model.scope = StampedScope(command);
    if (command.type.aggregate != AggregateType::kInstance) {
      model.document = outcome.document;
      return;
    }
    if (operation != Operation::kUpdate) model.fields.clear();
    if (operation == Operation::kDelete) return;
    Result<CommandData> data = DecodeCommandData(command.type, command.data);
    SAFFRON_ASSERT(data.ok());
    for (auto& [name, value] : FieldsOf(data->body)) {
      if (value == "null") {
        model.fields.erase(name);
      } else {
        model.fields[name] = value;
      }
    }
  }

  void Compare(const Envelope& envelope, const Outcome& outcome, const Model& model) {
    bool same = (outcome.lifecycle == Lifecycle::kPresent) == model.present &&
                outcome.incarnation == model.incarnation;
    if (envelope.aggregate.type == AggregateType::kInstance) {
      same = same && (model.present ? FieldsOf(outcome.document) == model.fields
                                    : outcome.document.empty());
    } else {
      same = same && outcome.document == model.document;
    }
    if (!same) Violation("the outcome of " + NameOf(envelope) + " is not what its model says");
  }

  const std::set<std::string>& excused_;
  std::map<EventId, Envelope> open_;
  std::map<AggregateKey, Model> models_;
  Violations violations_;
};

struct Last {
  SequenceNumber version;
  const Outcome* outcome = nullptr;
};

std::map<AggregateKey, Last> LastOutcomes(const std::vector<JudgedEvent>& events) {
  std::map<AggregateKey, Last> last;
  for (const JudgedEvent& judged : events) {
    if (!judged.event.outcome) continue;
    const Envelope& envelope = judged.event.envelope;
    last[envelope.aggregate] = {envelope.sequence_number, &*judged.event.outcome};
  }
  return last;
}

}  // namespace

std::vector<JudgedEvent> EventsOf(const DecodedLog& log) {
  std::vector<JudgedEvent> events;
  for (const auto& [number, entry] : log.slots()) {
    const Slot& slot = *entry.slot.value();
    for (const LoggedEvent& event : slot.events) events.push_back({event, slot.LineOf(event)});
  }
  return events;
}

Violations CheckDecisions(const std::vector<JudgedEvent>& events,
                          const std::set<std::string>& excused) {
  Decisions decisions(excused);
  for (const JudgedEvent& judged : events) decisions.Add(judged.event);
  return decisions.Finish();
}

Violations CheckGraph(const std::vector<JudgedEvent>& events, MemoryGraph& graph) {
  Violations violations;
  std::map<AggregateKey, GraphNode> nodes = graph.Snapshot().nodes;
  for (const auto& [key, last] : LastOutcomes(events)) {
    auto node = nodes.find(key);
    if (node == nodes.end()) {
      violations.push_back("not in the graph: " + key.ToString());
      continue;
    }
    if (node->second.version != last.version || node->second.lifecycle != last.outcome->lifecycle ||
        node->second.incarnation != last.outcome->incarnation ||
        node->second.scope != last.outcome->scope ||
        node->second.document != last.outcome->document) {
      violations.push_back("graph and log differ on " + key.ToString() + ": version " +
                           std::to_string(node->second.version.value) + " instead of " +
                           std::to_string(last.version.value));
    }
    nodes.erase(node);
  }
  for (const auto& [key, node] : nodes) {
    violations.push_back("in the graph and not in the log: " + key.ToString());
  }
  return violations;
}

Violations CheckSearch(const std::vector<JudgedEvent>& events, MemorySearch& search) {
  Violations violations;
  std::map<AggregateKey, SearchDocument> documents;
  const Result<std::vector<SearchDocument>> scanned = search.Scan(std::nullopt, 1'000'000);
  for (const SearchDocument& document : *scanned) {
    documents.emplace(document.key, document);
  }
  for (const auto& [key, last] : LastOutcomes(events)) {
    if (key.type == AggregateType::kDatabase) continue;
    auto document = documents.find(key);
    if (document == documents.end()) {
      violations.push_back("not in the search index: " + key.ToString());
      continue;
    }
    const SearchDocument& found = document->second;
    if (found.version != last.version || found.lifecycle != last.outcome->lifecycle ||
        found.scope != last.outcome->scope || found.document != last.outcome->document) {
      violations.push_back("search index and log differ on " + key.ToString() + ": version " +
                           std::to_string(found.version.value) + " instead of " +
                           std::to_string(last.version.value));
    }
    documents.erase(document);
  }
  for (const auto& [key, document] : documents) {
    violations.push_back("in the search index and not in the log: " + key.ToString());
  }
  return violations;
}

Violations CheckTopic(const std::vector<JudgedEvent>& events, const std::string& topic,
                      const std::vector<BusRecord>& records, TopicHistory history) {
  Violations violations;
  std::map<std::string_view, std::size_t> places;  // by line
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (TopicOf(events[i].event.envelope.type) == topic) places.emplace(events[i].line, i);
  }
  std::set<std::size_t> seen;
  std::map<std::string, std::size_t> last_of_key;
  for (const BusRecord& record : records) {
    auto place = places.find(record.value);
    if (place == places.end()) {
      violations.push_back("on " + topic + " and not in the log: " + record.value);
      continue;
    }
    if (!seen.insert(place->second).second) continue;
    auto [last, first_of_key] = last_of_key.emplace(record.key, place->second);
    if (first_of_key) continue;
    if (history == TopicHistory::kWhole && place->second < last->second) {
      violations.push_back("out of order on " + topic + ": " + record.key);
    }
    last->second = place->second;
  }
  if (history != TopicHistory::kDropped && seen.size() != places.size()) {
    violations.push_back(std::to_string(places.size() - seen.size()) + " events are not on " +
                         topic);
  }
  return violations;
}

}  // namespace saffron
