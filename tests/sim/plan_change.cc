#include "tests/sim/plan_change.h"

#include <algorithm>
#include <charconv>

#include "tests/sim/pipeline_world.h"

namespace saffron {
namespace {

// A number of the plan that a word sets.
struct Knob {
  std::string_view name;
  std::uint32_t (*get)(const PipelinePlan&);
  void (*set)(PipelinePlan&, std::uint32_t);
  std::uint32_t least;  // to which it is shrunk
};

template <std::uint32_t FaultRates::*kRate>
constexpr Knob RateKnob(std::string_view name) {
  return {name, [](const PipelinePlan& plan) { return plan.rates.*kRate; },
          [](PipelinePlan& plan, std::uint32_t value) { plan.rates.*kRate = value; }, 0};
}
template <std::uint32_t PipelinePlan::*kField>
constexpr Knob FieldKnob(std::string_view name, std::uint32_t least) {
  return {name, [](const PipelinePlan& plan) { return plan.*kField; },
          [](PipelinePlan& plan, std::uint32_t value) { plan.*kField = value; }, least};
}

constexpr Knob kKnobs[] = {
    FieldKnob<&PipelinePlan::clients>("clients", 1),
    FieldKnob<&PipelinePlan::requests>("requests", 1),
    RateKnob<&FaultRates::fail_before>("fail_before"),
    RateKnob<&FaultRates::lost_answer>("lost_answer"),
    RateKnob<&FaultRates::late>("late"),
    RateKnob<&FaultRates::repeated>("repeated"),
    RateKnob<&FaultRates::slow>("slow"),
    RateKnob<&FaultRates::never_applied>("never_applied"),
    RateKnob<&FaultRates::stale>("stale"),
    RateKnob<&FaultRates::crash>("crash"),
    RateKnob<&FaultRates::pause>("pause"),
    RateKnob<&FaultRates::focus_rate>("focus_rate"),
    FieldKnob<&PipelinePlan::skew_s>("skew_s", 0),
    FieldKnob<&PipelinePlan::partitions>("partitions", 1),
    FieldKnob<&PipelinePlan::prune_ms>("prune_ms", 0),
    FieldKnob<&PipelinePlan::cut_off>("cut_off", 0),
};

// Another order of events and other draws of the clients, for the same plan.
constexpr std::string_view kSchedule = "schedule";
constexpr std::string_view kWithout = "without";         // this disturbance
constexpr std::string_view kProcesses = "processes";     // 1: one that does everything
constexpr std::string_view kHeard = "clients_hear_all";  // no answer to a client is lost

std::string Word(std::string_view name, std::uint64_t value) {
  return std::string(name) + "=" + std::to_string(value);
}

}  // namespace

void PlanLine::Add(const std::string& word) {
  const std::string name = word.substr(0, word.find('=') + 1);
  if (!name.starts_with(kWithout)) {
    std::erase_if(words, [&name](const std::string& one) { return one.starts_with(name); });
  }
  words.push_back(word);
}

std::string PlanLine::WordsText() const {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

Status ApplyWord(std::string_view word, PipelinePlan& plan) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  std::uint64_t value = 0;
  const char* end = word.data() + word.size();
  const char* digits = equals == std::string_view::npos ? end : word.data() + equals + 1;
  const auto read = std::from_chars(digits, end, value);
  if (read.ec != std::errc() || read.ptr != end) {
    return Invalid("not NAME=NUMBER: " + std::string(word));
  }
  for (const Knob& knob : kKnobs) {
    if (knob.name != name) continue;
    knob.set(plan, static_cast<std::uint32_t>(value));
    return Ok();
  }
  if (name == kSchedule) {
    plan.seed = value;
  } else if (name == kProcesses && value == 1) {
    plan.processes = {kAllRoles};
  } else if (name == kHeard) {
    plan.lost_answer_one_in = 0;
  } else if (name == kWithout && value < plan.disturbances.size()) {
    // What came after it still comes as late as it did.
    const auto at = plan.disturbances.begin() + static_cast<std::ptrdiff_t>(value);
    if (std::next(at) != plan.disturbances.end()) std::next(at)->after += at->after;
    plan.disturbances.erase(at);
  } else {
    return Invalid("no such change of a plan: " + std::string(word));
  }
  return Ok();
}

Result<PipelinePlan> PlanOf(const PlanLine& line) {
  PipelinePlan plan = PipelinePlan::Draw(line.seed);
  for (const std::string& word : line.words) SAFFRON_TRY(ApplyWord(word, plan));
  return plan;
}

std::vector<std::string> WordsThatShrink(const PipelinePlan& plan) {
  std::vector<std::string> words;
  if (plan.processes.size() > 1) words.push_back(Word(kProcesses, 1));
  for (const Knob& knob : kKnobs) {
    const std::uint32_t now = knob.get(plan);
    if (now <= knob.least) continue;
    words.push_back(Word(knob.name, knob.least));
    const std::uint32_t half = std::max(knob.least, now / 2);
    if (half != knob.least) words.push_back(Word(knob.name, half));
    if (now - 1 > half) words.push_back(Word(knob.name, now - 1));
  }
  if (plan.lost_answer_one_in > 0) words.push_back(Word(kHeard, 1));
  for (std::size_t i = plan.disturbances.size(); i > 0; --i) {
    words.push_back(Word(kWithout, i - 1));
  }
  return words;
}

std::uint64_t SizeOf(const PipelinePlan& plan) {
  std::uint64_t size = plan.processes.size() + plan.disturbances.size();
  for (const Knob& knob : kKnobs) size += knob.get(plan);
  return size + (plan.lost_answer_one_in > 0);
}

}  // namespace saffron
