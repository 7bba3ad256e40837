#include "tests/sim/log_checker.h"

#include <map>
#include <set>

namespace saffron {
namespace {

struct Fold {
  std::uint64_t number = 0;   // of the last command
  std::uint64_t decided = 0;  // of the last outcome
  Position last_outcome;
};

class Judge {
 public:
  explicit Judge(LogVerdict& verdict) : verdict_(verdict) {}

  void Add(const LoggedEvent& event) {
    if (event.envelope.type.kind == EventKind::kCommand) {
      AddCommand(event);
    } else {
      AddOutcome(event);
    }
  }

  void CheckTold(const std::vector<ToldCommitted>& told) {
    for (const ToldCommitted& one : told) {
      auto found = commands_.find(one.command);
      if (found == commands_.end()) {
        Violation("I1: acknowledged and not in the log: " + one.command.ToString());
      } else if (found->second != one.number.value) {
        Violation("I1: acknowledged as " + std::to_string(one.number.value) + ", in the log as " +
                  std::to_string(found->second) + ": " + one.command.ToString());
      }
      if (one.expected && one.expected->value + 1 != one.number.value) {
        Violation("I4: committed on a stale expected_seq: " + one.command.ToString());
      }
    }
  }

  void CheckRefused(const std::vector<EventId>& refused) {
    for (const EventId& id : refused) {
      if (commands_.contains(id)) Violation("refused and yet in the log: " + id.ToString());
    }
  }

 private:
  void Violation(std::string what) { verdict_.violations.push_back(std::move(what)); }

  void AddCommand(const LoggedEvent& event) {
    const Envelope& command = event.envelope;
    ++verdict_.commands;
    Fold& fold = folds_[command.aggregate];
    if (!commands_.emplace(command.event_id, command.sequence_number.value).second) {
      Violation("I5: committed twice: " + command.event_id.ToString());
    }
    if (command.sequence_number.value != fold.number + 1) {
      Violation("I2/I3: " + command.aggregate.ToString() + " has " +
                std::to_string(command.sequence_number.value) + " after " +
                std::to_string(fold.number) + " in slot " +
                std::to_string(event.location.position.slot.value));
    }
    fold.number = command.sequence_number.value;
  }

  void AddOutcome(const LoggedEvent& event) {
    const Envelope& envelope = event.envelope;
    ++verdict_.outcomes;
    Fold& fold = folds_[envelope.aggregate];
    auto command = commands_.find(envelope.metadata.command_id);
    if (command == commands_.end()) {
      Violation("I5: an outcome before its command: " + envelope.event_id.ToString());
    } else if (command->second != envelope.sequence_number.value) {
      Violation("I5: an outcome with another number: " + envelope.event_id.ToString());
    }
    if (!decided_.insert(envelope.metadata.command_id).second) {
      Violation("I5: a second outcome of " + envelope.metadata.command_id.ToString());
    }
    if (envelope.sequence_number.value != fold.decided + 1) {
      Violation("I5: outcomes out of order on " + envelope.aggregate.ToString());
    }
    std::optional<Position> basis;
    if (fold.decided > 0) basis = fold.last_outcome;
    if (event.outcome->basis != basis) {
      Violation("I5: an outcome not on its basis: " + envelope.event_id.ToString());
    }
    fold.decided = envelope.sequence_number.value;
    fold.last_outcome = event.location.position;
  }

  LogVerdict& verdict_;
  std::map<AggregateKey, Fold> folds_;
  std::map<EventId, std::uint64_t> commands_;
  std::set<EventId> decided_;
};

}  // namespace

SlotDecoder DecoderOf(const EventLogFormat& format) {
  return [format](std::string bytes, SlotNumber slot) -> Result<SlotPtr> {
    SAFFRON_ASSIGN(Slot decoded, DecodeSlot(std::move(bytes), format.log, 0, slot));
    return SlotPtr(std::make_shared<const Slot>(std::move(decoded)));
  };
}

void DecodedLog::Update() {
  std::map<SlotNumber, Entry> before = std::move(slots_);
  slots_.clear();
  for (const auto& [key, object] : store_.Snapshot()) {
    const std::optional<SlotNumber> number = SlotOfKey(0, key);
    if (!number) continue;
    auto known = before.find(*number);
    if (known != before.end() && known->second.bytes == object.bytes) {
      slots_.insert(before.extract(known));
    } else {
      slots_.emplace(*number, Entry{object.bytes, decode_(*object.bytes, *number)});
    }
  }
}

LogVerdict CheckLog(const DecodedLog& log, const std::vector<ToldCommitted>& told,
                    const std::vector<EventId>& refused) {
  LogVerdict verdict;
  Judge judge(verdict);
  SlotNumber last;
  for (const auto& [number, entry] : log.slots()) {
    ++verdict.slots;
    if (number != last.Next()) {
      verdict.violations.push_back("a gap before slot " + std::to_string(number.value));
    }
    last = number;
    if (!entry.slot.ok()) {
      verdict.violations.push_back(entry.slot.error().ToString());
      continue;
    }
    const SlotPtr& slot = *entry.slot;
    verdict.tombstones += slot->header.tombstone;
    for (const LoggedEvent& event : slot->events) judge.Add(event);
  }
  judge.CheckTold(told);
  judge.CheckRefused(refused);
  return verdict;
}

std::vector<std::string> CheckRegistry(const DecodedLog& log, const MemoryRegistry& registry) {
  std::vector<std::string> violations;
  const MemoryRegistry::Backup rows = registry.Snapshot();
  if (!rows->reservations.empty()) violations.push_back("a reservation was never settled");
  std::map<AggregateKey, AggregateRow> aggregates;
  std::size_t commands = 0;
  for (const auto& [number, entry] : log.slots()) {
    if (!entry.slot.ok()) continue;
    if (rows->control.next_slot <= number) violations.push_back("the registry lags the log");
    for (const LoggedEvent& event : (*entry.slot)->events) {
      const Envelope& envelope = event.envelope;
      AggregateRow& row = aggregates[envelope.aggregate];
      auto index = rows->commands.find(envelope.metadata.command_id);
      if (index == rows->commands.end()) {
        violations.push_back("not in the event index: " + envelope.event_id.ToString());
        continue;
      }
      if (event.outcome) {
        row.decided = {envelope.sequence_number, event.outcome->lifecycle, event.outcome->scope,
                       event.outcome->incarnation, event.location};
        if (index->second.outcome != event.location) {
          violations.push_back("the index misses the outcome " + envelope.event_id.ToString());
        }
      } else {
        ++commands;
        row.accepted.number = envelope.sequence_number;
        if (index->second.location != event.location) {
          violations.push_back("the index misplaces " + envelope.event_id.ToString());
        }
      }
    }
  }
  if (commands != rows->commands.size()) violations.push_back("the index knows other commands");
  for (const auto& [key, row] : rows->aggregates) {
    if (key.type == AggregateType::kOntologyHead) continue;
    const AggregateRow& fold = aggregates[key];
    if (row.pending) violations.push_back("pending for ever: " + key.ToString());
    if (row.accepted.number != fold.accepted.number || row.decided != fold.decided) {
      violations.push_back("registry and fold of the log differ on " + key.ToString());
    }
  }
  return violations;
}

}  // namespace saffron
