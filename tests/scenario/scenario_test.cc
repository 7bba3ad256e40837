// Runs the scenarios of this folder against the domain.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "domain/decide.h"
#include "domain/instance.h"

namespace saffron {
namespace {

constexpr std::string_view kDb = "logistics";
constexpr std::string_view kBranch = "main";

struct Line {
  int number = 0;
  std::string word;
  std::string rest;
};

struct Scenario {
  std::string title;
  std::vector<Line> lines;
};

std::string TakeWord(std::string& text) {
  std::size_t space = std::min(text.find(' '), text.size());
  std::string word = text.substr(0, space);
  text.erase(0, std::min(space + 1, text.size()));
  return word;
}

std::vector<Scenario> ReadScenarios(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Scenario> scenarios;
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (text.empty() || text[0] == '#') continue;
    SAFFRON_ASSERT(!scenarios.empty() || text.starts_with("scenario:"));
    if (text.starts_with("  ")) {
      SAFFRON_ASSERT(!scenarios.back().lines.empty());
      scenarios.back().lines.back().rest += text.substr(text.find_first_not_of(' '));
      continue;
    }
    std::string word = TakeWord(text);
    if (word == "scenario:") {
      scenarios.push_back({text, {}});
    } else {
      scenarios.back().lines.push_back({number, word, text});
    }
  }
  return scenarios;
}

// The aggregates of one scenario and the last outcome. Single-threaded; lives for one scenario.
class World {
 public:
  void Run(const Line& line) {
    if (line.word == "limit") {
      max_bytes_ = std::stoul(line.rest);
    } else if (line.word == "remember") {
      remembered_ = Snapshot();
    } else if (line.word == "given" || line.word == "when") {
      Execute(line.rest);
      EXPECT_FALSE(line.word == "given" && last_.type.rejected)
          << last_outcome_.reason_code << ": " << last_outcome_.reason_message;
    } else {
      Check(line);
    }
  }

 private:
  struct History {
    std::uint64_t number = 0;
    std::optional<PriorOutcome> last;
  };

  Ontology Snapshot() const {
    OntologyStamp database{AggregateKey::Database(kDb), {}, {}};
    auto found = histories_.find(database.aggregate);
    if (found != histories_.end()) {
      database.incarnation = found->second.last->outcome.incarnation;
      database.number = SequenceNumber(found->second.number);
    }
    std::map<std::string, OntologyClass> classes;
    for (const auto& [key, history] : histories_) {
      const Outcome& outcome = history.last->outcome;
      if (key.type != AggregateType::kOntologyClass) continue;
      if (outcome.lifecycle != Lifecycle::kPresent) continue;
      if (outcome.scope.database != database.incarnation) continue;
      DefinitionResult read = ParseClassDefinition(outcome.document, "");
      EXPECT_TRUE(read.violations.empty());
      classes[read.definition.id] = {SequenceNumber(history.number), outcome.incarnation,
                                     read.definition};
    }
    return Ontology(database, SequenceNumber(1), classes);
  }

  static Envelope CommandOf(Operation operation, const AggregateKey& key, std::string body,
                            std::uint64_t number) {
    Envelope command;
    command.event_id = CommandIdFromKey(kDb, key.ToString() + std::to_string(number));
    command.type = EventType::Requested(key.type, operation);
    command.aggregate = key;
    command.occurred_at = "2026-01-01T00:00:00.000Z";
    command.actor = "tester";
    CommandData data;
    data.body = std::move(body);
    command.data = EncodeCommandData(command.type, data);
    command.metadata.service = "oms";
    command.metadata.command_id = command.event_id;
    command.metadata.command_type = command.type;
    command.sequence_number = SequenceNumber(number);
    return command;
  }

  static AggregateKey TargetOf(std::string& text, std::string& class_id) {
    std::string target = TakeWord(text);
    if (target == "database") return AggregateKey::Database(TakeWord(text));
    if (target == "class") {
      return AggregateKey::OntologyClass(kDb, kBranch, TakeWord(text));
    }
    std::size_t slash = target.find('/');
    SAFFRON_ASSERT(slash != std::string::npos);
    class_id = target.substr(0, slash);
    return AggregateKey::Instance(kDb, kBranch, class_id, target.substr(slash + 1));
  }

  void Execute(std::string text) {
    std::string verb = TakeWord(text);
    bool late = verb == "late";
    if (late) verb = TakeWord(text);
    ASSERT_TRUE(verb == "create" || verb == "update" || verb == "delete") << verb;
    Operation operation = verb == "create"   ? Operation::kCreate
                          : verb == "update" ? Operation::kUpdate
                                             : Operation::kDelete;
    std::string class_id;
    AggregateKey key = TargetOf(text, class_id);
    Ontology ontology = late ? remembered_.value() : Snapshot();
    History& history = histories_[key];
    Envelope command = CommandOf(operation, key, text, ++history.number);
    std::shared_ptr<const EffectiveClass> effective;
    if (key.type == AggregateType::kInstance) {
      command.metadata.ontology = ontology.StampsFor(kDb, kBranch, class_id);
      auto found = ontology.Effective(class_id);
      if (found.ok()) effective = *found;
    } else if (key.type == AggregateType::kOntologyClass) {
      command.metadata.ontology = {ontology.database()};
    }
    Settle(command, Decide(command, history.last, effective.get()), history);
  }

  // What a worker does: encode, and read back as the next command will.
  void Settle(const Envelope& command, const Decision& decision, History& history) {
    Envelope out =
        OutcomeEnvelope(command, decision, history.last, command.occurred_at, "worker", max_bytes_);
    auto decoded = DecodeEnvelope(EncodeEnvelope(out));
    ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
    EXPECT_EQ(*decoded, out);
    auto outcome = DecodeOutcome(decoded->data);
    ASSERT_TRUE(outcome.ok()) << outcome.error().ToString();
    EXPECT_EQ(outcome->basis.has_value(), history.last.has_value());
    if (history.last) {
      EXPECT_EQ(*outcome->basis, history.last->position);
    }
    last_ = *decoded;
    last_outcome_ = *outcome;
    position_.slot = position_.slot.Next();
    history.last = PriorOutcome{*outcome, position_};
  }

  void Check(const Line& line) {
    std::string rest = line.rest;
    if (line.word == "then") {
      EXPECT_EQ(last_.type.ToString(), TakeWord(rest)) << last_outcome_.reason_message;
      EXPECT_EQ(last_outcome_.reason_code, rest) << last_outcome_.reason_message;
    } else if (line.word == "document") {
      EXPECT_EQ(last_outcome_.document, rest == "none" ? "" : rest);
    } else if (line.word == "incarnation") {
      EXPECT_EQ(std::to_string(last_outcome_.incarnation.value), rest);
    } else if (line.word == "scope") {
      EXPECT_EQ(std::to_string(last_outcome_.scope.database.value) + " " +
                    std::to_string(last_outcome_.scope.class_.value),
                rest);
    } else if (line.word == "message") {
      EXPECT_NE(last_outcome_.reason_message.find(rest), std::string::npos)
          << last_outcome_.reason_message;
    } else {
      FAIL() << "unknown word " << line.word;
    }
  }

  std::map<AggregateKey, History> histories_;
  std::optional<Ontology> remembered_;
  Envelope last_;
  Outcome last_outcome_;
  Position position_;
  std::size_t max_bytes_ = kDefaultMaxEnvelopeBytes;
};

TEST(ScenarioTest, EveryFile) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SAFFRON_SCENARIO_DIR)) {
    if (entry.path().extension() != ".txt") continue;
    if (entry.path().filename() == "CMakeLists.txt") continue;
    for (const Scenario& scenario : ReadScenarios(entry.path())) {
      World world;
      ++count;
      for (const Line& line : scenario.lines) {
        SCOPED_TRACE(entry.path().filename().string() + ":" + std::to_string(line.number) + ": " +
                     scenario.title);
        world.Run(line);
      }
    }
  }
  EXPECT_GE(count, 25);
}

}  // namespace
}  // namespace saffron
