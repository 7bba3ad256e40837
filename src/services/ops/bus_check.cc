#include "services/ops/bus_check.h"

#include <algorithm>
#include <array>

namespace saffron {
namespace {

constexpr std::size_t kRecords = 500;
constexpr Duration kPoll = milliseconds(200);
constexpr std::size_t kMostRefused = 100'000;
constexpr std::array<std::string_view, 5> kTopics = {kDatabaseCommandsTopic, kOntologyCommandsTopic,
                                                     kInstanceCommandsTopic, kOntologyEventsTopic,
                                                     kInstanceEventsTopic};

Sha256Digest DigestOf(const Position& position, std::string_view key, std::string_view value) {
  std::string bytes = position.ToString();
  bytes.append("\n").append(key).append("\n").append(value);
  return Sha256(bytes);
}

std::string NameOf(const TopicPartition& partition) {
  return "bus: " + partition.topic + "/" + std::to_string(partition.partition);
}

}  // namespace

BusCheck::BusCheck(Runtime& runtime, MessageBus& bus, BusCheckOptions options, Tell tell)
    : runtime_(runtime),
      bus_(bus),
      options_(options),
      tell_(std::move(tell)),
      width_(std::max<std::uint64_t>(
          1, (options.head.value + 1 - std::min(options.from.value, options.head.value + 1) +
              options.ranges - 1) /
                 options.ranges)) {}

Status BusCheck::ReadBus(const PublishedRow& row,
                         const std::function<void(std::uint64_t)>& progress) {
  for (std::string_view topic : kTopics) SAFFRON_TRY(ReadTopic(std::string(topic), row));
  return Drain(progress);
}

// A partition that has lost its tail is not judged: the publisher sends it again.
Status BusCheck::ReadTopic(const std::string& topic, const PublishedRow& row) {
  Result<TopicState> state = bus_.Describe(topic);
  if (state.Is(Code::kNotFound)) return Ok();
  if (!state.ok()) return state.error();
  const auto count = static_cast<std::uint32_t>(state->end_offsets.size());
  partitions_of_[topic] = count;
  for (std::uint32_t i = 0; i < count; ++i) {
    Partition& partition = partitions_[{topic, i}];
    auto end = row.ends.find({topic, i});
    if (end == row.ends.end()) continue;
    partition.judged = end->second <= state->end_offsets[i];
    partition.left_at = std::min(end->second, state->end_offsets[i]);
  }
  return Ok();
}

Status BusCheck::Drain(const std::function<void(std::uint64_t)>& progress) {
  const std::string letters(kCommandFailuresTopic);
  std::vector<std::string> topics;
  for (const auto& [topic, count] : partitions_of_) topics.push_back(topic);
  std::set<TopicPartition> open;
  for (const auto& [of, partition] : partitions_) {
    if (partition.left_at > 0) open.insert(of);
  }
  Result<TopicState> state = bus_.Describe(letters);
  if (!state.ok() && !state.Is(Code::kNotFound)) return state.error();
  if (state.ok()) topics.push_back(letters);
  for (std::uint32_t i = 0; state.ok() && i < state->end_offsets.size(); ++i) {
    if (state->end_offsets[i] == 0) continue;
    partitions_[{letters, i}].left_at = state->end_offsets[i];
    open.insert({letters, i});
  }
  SAFFRON_ASSIGN(std::unique_ptr<BusConsumer> consumer,
                 bus_.Subscribe("verify-" + runtime_.NewUuid().ToString(), topics));
  Instant deadline = runtime_.Now() + options_.patience;
  while (!open.empty() && runtime_.Now() < deadline) {
    if (runtime_.StopRequested()) return Cancelled("stopping");
    SAFFRON_ASSIGN(BusBatch batch, consumer->Poll(kRecords, kPoll));
    for (const BusRecord& record : batch.records) {
      if (!open.contains(record.from)) continue;
      Take(record);
      if (record.offset + 1 >= partitions_[record.from].left_at) open.erase(record.from);
      deadline = runtime_.Now() + options_.patience;
    }
    progress(records_);
  }
  for (const TopicPartition& of : open) {
    Partition& partition = partitions_[of];
    if (partition.seen) tell_(NameOf(of), "it cannot be read to its end");
    partition.judged = false;  // nothing seen: all that was acknowledged has been forgotten
  }
  return Ok();
}

void BusCheck::Take(const BusRecord& record) {
  ++records_;
  if (record.from.topic == kCommandFailuresTopic) return TakeLetter(record);
  Partition& partition = partitions_[record.from];
  // After a change of the number of partitions a key has records in two of them.
  if (PartitionOf(record.key, partitions_of_[record.from.topic]) != record.from.partition) {
    partitions_of_[record.from.topic] = 0;
  }
  std::optional<Position> position = PositionOf(record);
  if (!position) {
    tell_(NameOf(record.from),
          "the record at offset " + std::to_string(record.offset) + " names no position");
    return;
  }
  if (!partition.seen && record.offset > 0) partition.first = *position;
  const bool repeated = partition.seen && *position <= partition.highest;
  partition.seen = true;
  if (repeated) return;
  partition.highest = *position;
  if (position->slot < options_.from || options_.head < position->slot) return;
  partition.ranges[RangeOf(position->slot)].in_bus.Add(
      DigestOf(*position, record.key, record.value));
}

// Of an event that the bus did not take. Those of parked commands name no topic.
void BusCheck::TakeLetter(const BusRecord& record) {
  std::optional<Position> position = PositionOf(record);
  if (HeaderOf(record, "topic") && position && refused_.size() < kMostRefused) {
    refused_.insert(*position);
  }
}

void BusCheck::AddFromLog(const Slot& slot, const LoggedEvent& event) {
  const std::string& key = event.envelope.aggregate.id;
  const std::string topic(TopicOf(event.envelope.type));
  auto count = partitions_of_.find(topic);
  if (count == partitions_of_.end() || count->second == 0) return;
  Partition& partition = partitions_[{topic, PartitionOf(key, count->second)}];
  const Position& position = event.location.position;
  if (!partition.judged || position < partition.first || refused_.contains(position)) return;
  partition.ranges[RangeOf(position.slot)].in_log.Add(DigestOf(position, key, slot.LineOf(event)));
}

void BusCheck::Compare() {
  for (const auto& [of, partition] : partitions_) {
    if (!partition.judged || partitions_of_[of.topic] == 0) continue;
    for (const auto& [index, range] : partition.ranges) {
      if (range.in_bus != range.in_log) CompareRange(of, index, range);
    }
  }
}

void BusCheck::CompareRange(const TopicPartition& of, std::uint64_t index, const Range& range) {
  const std::uint64_t first = options_.from.value + index * width_;
  const std::uint64_t last = std::min(first + width_ - 1, options_.head.value);
  const std::uint64_t bus = range.in_bus.count(), log = range.in_log.count();
  const std::string slots =
      first == last ? " of slot " + std::to_string(first)
                    : " of slots " + std::to_string(first) + " to " + std::to_string(last);
  tell_(NameOf(of), bus == log ? "an event" + slots + " differs from the log"
                               : "it has " + std::to_string(bus) + " events" + slots +
                                     "; the log has " + std::to_string(log));
}

}  // namespace saffron
