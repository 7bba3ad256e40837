// What the bus has lost, and how it gets it back.
#include <algorithm>
#include <utility>

#include "eventlog/mutation.h"
#include "services/publisher/publisher.h"

namespace saffron {
namespace {

// Nothing: the row was made to say nothing.
std::optional<std::uint64_t> MarkOf(const PublishedRow& row) {
  auto found = row.ends.find(kRepublishMark);
  if (found == row.ends.end()) return std::nullopt;
  return found->second;
}

// As kLastMark has it.
std::uint64_t CodeOf(const Position& position) {
  return position.slot.value << 16 | (position.ordinal & 0xffff);
}

}  // namespace

Status Publisher::CheckBusIfDue() {
  const bool due =
      !prepared_ || !regressed_.empty() || checked_at_ + options_.check_interval <= runtime_.Now();
  return due ? CheckBus() : Ok();
}

Status Publisher::CheckBus() {
  // Who has slept looks first whether it still leads.
  if (Lapsed()) SAFFRON_TRY(Save());
  if (!leading_) return Ok();
  SAFFRON_TRY(bus_.EnsureTopics(options_.topics));
  if (!prepared_) SAFFRON_TRY(TakeRowsAsEvidence());
  SAFFRON_ASSIGN(BusState bus, DescribeBus());
  BusState intact = bus;  // without what was sent where lost events had been
  for (const auto& [key, offset] : regressed_) {
    std::vector<std::uint64_t>& ends = intact[key.topic].end_offsets;
    if (key.partition < ends.size()) ends[key.partition] = std::min(ends[key.partition], offset);
  }
  SAFFRON_ASSIGN(const Loss loss, LossOf(intact));
  SAFFRON_ASSIGN(Ends ends, EndsOf(bus, loss == Loss::kNone));
  if (loss != Loss::kNone) {
    SlotNumber from(1);
    if (loss == Loss::kTail) {
      SAFFRON_ASSIGN(SlotNumber agreed, AgreedSlot(intact));
      from = agreed.Next();
    }
    // An error leaves the memory as it was, so that the loss is seen again.
    const PublisherCheckpoint before = state_;
    const auto regressed = std::exchange(regressed_, {});
    state_.ends = std::move(ends);
    if (Status begun = BeginRepublish(from); !begun.ok()) {
      state_ = before;
      regressed_ = regressed;
      return begun;
    }
    if (!leading_) return Ok();
    prepared_ = false;  // until the rows are out of the way, nothing may be produced
  } else {
    state_.ends = std::move(ends);
  }
  if (!prepared_) SAFFRON_TRY(DistrustRows());
  // The last row, once more: a registry that fell back has lost it, a predecessor that had not yet
  // noticed that it is one may have made it say nothing, and without news no other row follows.
  if (!state_.republish && LastSlot() != SlotNumber()) row_dirty_ = true;
  prepared_ = true;
  checked_at_ = runtime_.Now();
  return Ok();
}

// As they are, each with a record that is known to be there.
Result<Publisher::Ends> Publisher::EndsOf(const BusState& bus, bool intact) {
  Ends ends;
  std::map<TopicPartition, std::uint64_t> asked;
  for (const auto& [topic, described] : bus) {
    for (std::uint32_t i = 0; i < described.end_offsets.size(); ++i) {
      const TopicPartition key{topic, i};
      PartitionEnd& end = ends[key] = {described.topic_id, described.end_offsets[i], {}, {}};
      auto known = state_.ends.find(key);
      const bool same = intact && known != state_.ends.end() && known->second.last &&
                        known->second.last->offset + 1 == end.end;
      if (same) {
        end.last = known->second.last;
      } else if (end.end > 0) {
        asked[key] = end.end - 1;
      }
    }
  }
  SAFFRON_ASSIGN(std::vector<BusRecord> records, bus_.RecordsAt(asked));
  for (const BusRecord& record : records) {
    const std::optional<Position> position = PositionOf(record);
    if (position) ends[record.from].last = SentRecord{record.offset, *position};
  }
  for (auto& [key, end] : ends) end.checked = end.last;
  return ends;
}

// Dead letters are no part of the log: an operator may empty their topics.
Result<Publisher::BusState> Publisher::DescribeBus() {
  BusState bus;
  for (const TopicSpec& topic : options_.topics) {
    if (topic.name == kCommandFailuresTopic || topic.name == kProjectionFailuresTopic) continue;
    SAFFRON_ASSIGN(bus[topic.name], bus_.Describe(topic.name));
  }
  return bus;
}

Result<Publisher::Loss> Publisher::LossOf(const BusState& bus) {
  Loss loss = regressed_.empty() ? Loss::kNone : Loss::kTail;
  std::map<TopicPartition, Expected> last, checked;
  for (const auto& [key, end] : state_.ends) {
    auto topic = bus.find(key.topic);
    if (topic == bus.end()) continue;  // no longer one of ours
    const bool other = topic->second.topic_id != end.topic_id;
    if ((other && !Mutated(Mutation::kTopicIdsNotCompared)) ||
        topic->second.end_offsets.size() <= key.partition) {
      return Loss::kUnknown;
    }
    const std::uint64_t bus_end = topic->second.end_offsets[key.partition];
    if (bus_end < end.end) loss = Loss::kTail;
    const auto expect = [&, &key = key](const std::optional<SentRecord>& sent, auto& expected) {
      if (sent && sent->offset < bus_end) expected[key] = {sent->offset, CodeOf(sent->position)};
    };
    expect(end.last, last);
    if (end.checked != end.last) expect(end.checked, checked);
  }
  if (Mutated(Mutation::kEndsNotCompared) && loss == Loss::kTail) return Loss::kNone;
  if (Mutated(Mutation::kFilledGapsNotSeen)) return loss;
  for (const auto& expected : {last, checked}) {
    SAFFRON_ASSIGN(const bool others, HasOthers(expected));
    if (others) return Loss::kUnknown;
  }
  return loss;
}

// A record that is not there, or cannot be read, says nothing.
Result<bool> Publisher::HasOthers(const std::map<TopicPartition, Expected>& expected) {
  std::map<TopicPartition, std::uint64_t> asked;
  for (const auto& [key, record] : expected) asked[key] = record.offset;
  SAFFRON_ASSIGN(std::vector<BusRecord> records, bus_.RecordsAt(asked));
  return std::any_of(records.begin(), records.end(), [&expected](const BusRecord& record) {
    const std::optional<Position> position = PositionOf(record);
    return !position || CodeOf(*position) != expected.at(record.from).code;
  });
}

// What the predecessor had sent after its last checkpoint: the rows know it at 50 ms.
Status Publisher::TakeRowsAsEvidence() {
  SlotNumber from = NextSlot();
  while (true) {
    SAFFRON_ASSIGN(std::optional<PublishedRow> row, claims_.PublishedAt(context_.shard, from));
    if (!row) return Ok();
    from = row->slot.Next();
    if (MarkOf(*row) != state_.republish_id) continue;
    for (const auto& [key, end] : row->ends) {
      auto known = state_.ends.find({key.first, key.second});
      if (known != state_.ends.end()) known->second.end = std::max(known->second.end, end);
    }
  }
}

// The last slot of which the bus still has everything, as far as the rows remember; else 0.
Result<SlotNumber> Publisher::AgreedSlot(const BusState& bus) {
  const auto has = [&bus](const PublishedRow& row) {
    return std::all_of(row.ends.begin(), row.ends.end(), [&bus](const auto& known) {
      const auto& [key, end] = known;
      auto topic = bus.find(key.first);
      if (topic == bus.end()) return true;  // a mark, or no longer one of ours
      const std::vector<std::uint64_t>& ends = topic->second.end_offsets;
      return key.second < ends.size() && end <= ends[key.second];
    });
  };
  PublishedRow agreed;
  SlotNumber from(1);
  while (true) {
    SAFFRON_ASSIGN(std::optional<PublishedRow> row, claims_.PublishedAt(context_.shard, from));
    if (!row) break;
    from = row->slot.Next();
    if (MarkOf(*row) != state_.republish_id) continue;
    if (!has(*row)) break;
    agreed = std::move(*row);
  }
  // Something else lies where its ends were: a tail was lost, and what filled the gap is as long.
  std::map<TopicPartition, Expected> expected;
  for (const auto& [key, end] : agreed.ends) {
    auto last = agreed.ends.find({kLastMark + key.first, key.second});
    if (last == agreed.ends.end() || end == 0 || !bus.contains(key.first)) continue;
    expected[{key.first, key.second}] = {end - 1, last->second};
  }
  SAFFRON_ASSIGN(const bool others, HasOthers(expected));
  return others ? SlotNumber() : agreed.slot;
}

void Publisher::AddLastTo(PublishedRow& row) const {
  for (const auto& [key, end] : state_.ends) {
    if (!end.last || end.last->offset + 1 != end.end) continue;
    row.ends[{kLastMark + key.topic, key.partition}] = CodeOf(end.last->position);
  }
}

// A loss that this process alone has seen, as what it sends fills the gap, and the bus does not
// answer: whoever reads the checkpoint must know of it.
void Publisher::TakeLossOver() {
  for (const auto& [key, offset] : regressed_) {
    PartitionEnd& end = state_.ends[key];
    end.last = end.checked = std::nullopt;
  }
  MarkRepublish(SlotNumber(1));
  regressed_.clear();
  prepared_ = false;
}

void Publisher::MarkRepublish(SlotNumber from) {
  const SlotNumber to = LastSlot();
  state_.republish_id = 1 + runtime_.RandomBelow((std::uint64_t{1} << 53) - 1);
  if (from <= to) state_.republish = Republish{std::min(from, NextSlot()), to};
  batch_.reset();
  reader_.reset();
}

// It is in the checkpoint before its first event is sent, so a successor goes on with it.
Status Publisher::BeginRepublish(SlotNumber from) {
  const SlotNumber to = LastSlot();
  MarkRepublish(from);
  SAFFRON_TRY(Save());
  if (!leading_) return Ok();
  context_.log.Warning(
      "publisher.republish",
      {{"from_slot", NextSlot()}, {"to_slot", to}, {"why", "the bus lost events"}});
  if (metrics_ != nullptr) metrics_->RepublishStarted();
  return Ok();
}

// Rows of slots that are sent (again) from here on hold ends that are no longer true. They are made
// to say nothing, and pruned as the sending passes them.
Status Publisher::DistrustRows() {
  SlotNumber from = NextSlot();
  while (true) {
    SAFFRON_ASSIGN(std::optional<PublishedRow> row, claims_.PublishedAt(context_.shard, from));
    if (!row) return Ok();
    PublishedRow nothing;
    nothing.shard = row->shard;
    nothing.slot = row->slot;
    SAFFRON_TRY(claims_.PutPublished(nothing, SlotNumber()));
    distrusted_until_ = std::max(distrusted_until_, row->slot);
    from = row->slot.Next();
  }
}

}  // namespace saffron
