#include "tests/sim/client_checker.h"

#include <algorithm>
#include <set>

namespace saffron {
namespace {

// Places are indices into the log's events; -1 is before all of them.
using Place = std::int64_t;

// What was so while this number was an aggregate's last.
struct Version {
  Place from = -1;
  std::set<bool> present = {false};  // as accepted, and as decided
};

struct Times {
  Duration called = Duration::max();        // the first try
  Duration acknowledged = Duration::max();  // the first acknowledgement
};

class ClientJudge {
 public:
  explicit ClientJudge(const std::vector<JudgedEvent>& events) : events_(events) {
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Envelope& event = events[i].event.envelope;
      std::vector<Version>& versions = versions_[event.aggregate];
      if (versions.empty()) versions.emplace_back();
      if (event.type.kind == EventKind::kCommand) {
        places_[event.event_id] = static_cast<Place>(i);
        versions.push_back({static_cast<Place>(i), {event.type.operation != Operation::kDelete}});
      } else if (event.sequence_number.value < versions.size()) {
        versions[event.sequence_number.value].present.insert(events[i].event.outcome->lifecycle ==
                                                             Lifecycle::kPresent);
        outcomes_[{event.aggregate, event.sequence_number}] = &*events[i].event.outcome;
      }
    }
  }

  // Acknowledged before another was sent: before it in the log.
  void RealTime(const std::vector<ObservedCall>& calls) {
    for (const ObservedCall& call : calls) {
      Times& times = times_[call.id];
      times.called = std::min(times.called, call.called);
      if (call.code != WriteCode::kAccepted) continue;
      times.acknowledged = std::min(times.acknowledged, call.returned);
    }
    Duration earliest = Duration::max();  // acknowledgement of what is later in the log
    for (auto judged = events_.rbegin(); judged != events_.rend(); ++judged) {
      const Envelope& event = judged->event.envelope;
      auto times = times_.find(event.event_id);
      if (event.type.kind != EventKind::kCommand || times == times_.end()) continue;
      if (earliest < times->second.called) {
        Violation("in the log before what was acknowledged before it was sent: " +
                  event.event_id.ToString());
      }
      earliest = std::min(earliest, times->second.acknowledged);
    }
  }

  // A refusal was true at some moment between call and return.
  void Refusal(const ObservedCall& call) {
    const bool conflict = call.code == WriteCode::kConflict;
    if (call.aggregate.id.empty() || (!conflict && call.code != WriteCode::kNotFound)) return;
    Place low = -1, high = static_cast<Place>(events_.size());
    for (const auto& [id, times] : times_) {
      auto place = places_.find(id);
      if (place == places_.end()) continue;
      if (times.acknowledged < call.called) low = std::max(low, place->second);
      if (times.called > call.returned) high = std::min(high, place->second);
    }
    static const std::vector<Version> kNothing(1);
    auto found = versions_.find(call.aggregate);
    const std::vector<Version>& versions = found == versions_.end() ? kNothing : found->second;
    bool explained = false;
    for (std::size_t n = 0; n < versions.size(); ++n) {
      const bool gone = n + 1 < versions.size() && versions[n + 1].from <= low;
      if (gone || versions[n].from >= high) continue;
      explained = explained || (conflict ? ConflictsWith(call, n, versions[n])
                                         : versions[n].present.contains(false));
    }
    if (explained) return;
    Violation(std::string(conflict ? "409 with " : "404 with ") +
              std::to_string(call.actual.value) + " was true at no moment of its call: " +
              call.aggregate.ToString() + " " + call.id.ToString() + ", which had " +
              std::to_string(versions.size() - 1) + " commands, between the events " +
              std::to_string(low) + " and " + std::to_string(high) + " of the log");
  }

  void Transaction(const ObservedTransaction& transaction) {
    std::set<SlotNumber> slots;
    std::size_t there = 0;
    for (const EventId& id : transaction.ids) {
      auto place = places_.find(id);
      if (place == places_.end()) continue;
      ++there;
      slots.insert(events_[std::size_t(place->second)].event.location.position.slot);
    }
    const std::string name = transaction.ids.front().ToString();
    if (there == 0) return;
    if (there != transaction.ids.size() || slots.size() != 1) {
      return Violation("a transaction in parts: " + name);
    }
    for (const auto& [aggregate, expected] : transaction.checks) {
      const Place at = places_.at(transaction.ids.front());
      const std::vector<Version>& versions = versions_[aggregate];
      const bool was = expected.value < versions.size() && versions[expected.value].from < at;
      const bool is =
          expected.value + 1 >= versions.size() || versions[expected.value + 1].from > at;
      if (!was || !is) Violation("a transaction on a stale check: " + name);
    }
  }

  void Read(const ObservedRead& read) {
    const ReadAsk& ask = read.ask;
    SequenceNumber least = ask.min_seq.value_or(SequenceNumber());
    const std::vector<Version>& versions = versions_[ask.aggregate];
    for (std::size_t n = 1; ask.min_position && n < versions.size(); ++n) {
      const Position at = events_[std::size_t(versions[n].from)].event.location.position;
      if (at <= *ask.min_position) least = std::max(least, SequenceNumber(n));
    }
    const std::string name =
        ask.aggregate.ToString() + " " + std::to_string(read.seen.version.value);
    if (read.seen.version < least) {
      Violation("a read of " +
                std::string(ask.store == ReadStore::kGraph ? "the graph" : "search") + " by " +
                (ask.min_seq ? "number" : "position " + ask.min_position->ToString()) +
                " is older than it may be: " + name + " of " + std::to_string(least.value));
    }
    if (read.seen.version == SequenceNumber()) return;
    auto outcome = outcomes_.find({ask.aggregate, read.seen.version});
    if (outcome == outcomes_.end() || outcome->second->lifecycle != read.seen.lifecycle ||
        outcome->second->document != read.seen.document) {
      Violation("a read is of nothing in the log: " + name);
    }
  }

  Violations Finish() { return std::move(violations_); }

 private:
  void Violation(std::string what) { violations_.push_back(std::move(what)); }

  static bool ConflictsWith(const ObservedCall& call, std::size_t number, const Version& version) {
    if (call.actual.value != number) return false;
    if (call.operation == Operation::kCreate) return version.present.contains(true);
    return call.expected && call.expected->value != number;
  }

  const std::vector<JudgedEvent>& events_;
  std::map<EventId, Place> places_;
  std::map<AggregateKey, std::vector<Version>> versions_;  // by number
  std::map<std::pair<AggregateKey, SequenceNumber>, const Outcome*> outcomes_;
  std::map<EventId, Times> times_;
  Violations violations_;
};

}  // namespace

Violations CheckClients(const std::vector<JudgedEvent>& events, const ClientRecord& record) {
  ClientJudge judge(events);
  judge.RealTime(record.calls);
  for (const ObservedCall& call : record.calls) judge.Refusal(call);
  for (const ObservedTransaction& one : record.transactions) judge.Transaction(one);
  for (const ObservedRead& read : record.reads) judge.Read(read);
  return judge.Finish();
}

}  // namespace saffron
