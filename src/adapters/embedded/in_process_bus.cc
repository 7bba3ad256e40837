#include "adapters/embedded/in_process_bus.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace saffron {

namespace {

std::size_t SizeOf(const BusMessage& message) {
  std::size_t size = message.key.size() + message.value.size();
  for (const auto& [name, value] : message.headers) size += name.size() + value.size();
  return size;
}

}  // namespace

class InProcessBus::Consumer final : public BusConsumer {
 public:
  Consumer(InProcessBus& bus, std::string group, std::vector<std::string> topics)
      : bus_(bus), group_(std::move(group)), topics_(std::move(topics)) {
    std::lock_guard<Condition> lock(*bus_.condition_);
    member_ = bus_.Join(group_, topics_);
  }

  ~Consumer() override {
    std::lock_guard<Condition> lock(*bus_.condition_);
    bus_.Leave(bus_.groups_[group_], member_);
  }

  Result<BusBatch> Poll(std::size_t max_records, Duration timeout) override;
  Status Commit(const std::map<TopicPartition, CommittedOffset>& offsets) override;
  Result<std::map<TopicPartition, CommittedOffset>> Committed() override;
  Status Seek(const TopicPartition& partition, std::uint64_t offset) override;
  Status Pause(const std::vector<TopicPartition>& partitions) override {
    return SetPaused(partitions, true);
  }
  Status Resume(const std::vector<TopicPartition>& partitions) override {
    return SetPaused(partitions, false);
  }

 private:
  struct Cursor {
    std::optional<std::uint64_t> next;  // none: not looked up yet
    bool paused = false;
  };

  Status Attend();           // under the lock: is alive, gives up and takes over partitions
  Status StartPartitions();  // finds where the new ones start
  Status Fetch(std::size_t max_records);
  bool WaitForChange(std::uint64_t seen_changes, Instant deadline);
  Status SetPaused(const std::vector<TopicPartition>& partitions, bool paused);

  InProcessBus& bus_;
  const std::string group_;
  const std::vector<std::string> topics_;
  MemberId member_ = 0;
  std::map<TopicPartition, Cursor> cursors_;  // of the assignment
  std::size_t turn_ = 0;                      // so that no partition starves another
  BusBatch batch_;  // kept over a Poll that fails, so that nothing is lost
};

Status InProcessBus::Consumer::Attend() {
  Group& group = bus_.groups_[group_];
  if (!group.members.contains(member_)) {
    // Expelled: whatever was ours may have been processed by another since.
    for (const auto& [partition, cursor] : cursors_) batch_.revoked.push_back(partition);
    cursors_.clear();
    batch_.assigned.clear();
    batch_.records.clear();
    member_ = bus_.Join(group_, topics_);
  }
  group.members[member_].seen = bus_.runtime_.Now();
  bus_.ExpelSilent(group);
  if (group.changed) SAFFRON_TRY(bus_.Rebalance(group_, group));
  batch_.generation = group.generation;
  bool handed_over = false;
  for (auto cursor = cursors_.begin(); cursor != cursors_.end();) {
    const TopicPartition& partition = cursor->first;
    auto target = group.targets.find(partition);
    if (target != group.targets.end() && target->second == member_) {
      ++cursor;
      continue;
    }
    group.owners.erase(partition);
    batch_.revoked.push_back(partition);
    std::erase(batch_.assigned, partition);
    cursor = cursors_.erase(cursor);
    handed_over = true;
  }
  for (const auto& [partition, target] : group.targets) {
    if (target != member_ || !group.owners.try_emplace(partition, member_).second) continue;
    batch_.assigned.push_back(partition);
    cursors_.try_emplace(partition);
  }
  if (handed_over) bus_.Wake();
  return Ok();
}

Status InProcessBus::Consumer::StartPartitions() {
  bool all_started = std::all_of(cursors_.begin(), cursors_.end(),
                                 [](const auto& entry) { return entry.second.next.has_value(); });
  if (all_started) return Ok();
  SAFFRON_ASSIGN(auto committed, bus_.log_->Offsets(group_));
  for (auto& [partition, cursor] : cursors_) {
    if (cursor.next.has_value()) continue;
    auto found = committed.find(partition);
    cursor.next = found == committed.end() ? 0 : found->second.next;  // Fetch mends the range
  }
  return Ok();
}

Status InProcessBus::Consumer::Fetch(std::size_t max_records) {
  if (cursors_.empty()) return Ok();
  turn_ = (turn_ + 1) % cursors_.size();
  auto entry = std::next(cursors_.begin(), static_cast<std::ptrdiff_t>(turn_));
  std::map<std::string, LogTopic> topics;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < cursors_.size(); ++i, ++entry) {
    if (entry == cursors_.end()) entry = cursors_.begin();
    auto& [partition, cursor] = *entry;
    if (cursor.paused) continue;
    if (batch_.records.size() >= max_records || bytes >= bus_.options_.max_poll_bytes) break;
    auto topic = topics.find(partition.topic);
    if (topic == topics.end()) {
      SAFFRON_ASSIGN(LogTopic state, bus_.log_->Topic(partition.topic));
      topic = topics.emplace(partition.topic, std::move(state)).first;
    }
    if (partition.partition >= topic->second.partitions.size()) continue;
    const PartitionBounds& bounds = topic->second.partitions[partition.partition];
    if (*cursor.next < bounds.earliest || *cursor.next > bounds.end) cursor.next = bounds.earliest;
    if (*cursor.next == bounds.end) continue;
    std::size_t before = batch_.records.size();
    SAFFRON_TRY(bus_.log_->Read(partition, *cursor.next, max_records - before,
                                bus_.options_.max_poll_bytes - bytes, batch_.records));
    for (std::size_t j = before; j < batch_.records.size(); ++j) {
      bytes += batch_.records[j].value.size();
    }
    if (batch_.records.size() > before) cursor.next = batch_.records.back().offset + 1;
  }
  return Ok();
}

// False: Poll is over.
bool InProcessBus::Consumer::WaitForChange(std::uint64_t seen_changes, Instant deadline) {
  // Wakes up often enough to stay a member, and to expel others that went silent.
  Instant heartbeat = bus_.runtime_.Now() + bus_.options_.session_timeout / 3;
  Instant wake = std::min(deadline, heartbeat);
  std::lock_guard<Condition> lock(*bus_.condition_);
  while (bus_.changes_ == seen_changes) {
    if (bus_.runtime_.StopRequested()) return false;
    if (bus_.condition_->WaitUntil(wake)) continue;
    Instant now = bus_.runtime_.Now();
    return now >= wake && now < deadline;  // one that ends early: the process is stopping
  }
  return true;
}

Result<BusBatch> InProcessBus::Consumer::Poll(std::size_t max_records, Duration timeout) {
  Instant now = bus_.runtime_.Now();
  Instant deadline = timeout > Instant::Max() - now ? Instant::Max() : now + timeout;
  while (true) {
    std::uint64_t seen_changes = 0;
    {
      std::lock_guard<Condition> lock(*bus_.condition_);
      SAFFRON_TRY(Attend());
      seen_changes = bus_.changes_;
    }
    SAFFRON_TRY(StartPartitions());
    SAFFRON_TRY(Fetch(max_records));
    bool news = !batch_.records.empty() || !batch_.assigned.empty() || !batch_.revoked.empty();
    if (news || bus_.runtime_.Now() >= deadline || !WaitForChange(seen_changes, deadline)) {
      return std::exchange(batch_, BusBatch());
    }
  }
}

Status InProcessBus::Consumer::Commit(const std::map<TopicPartition, CommittedOffset>& offsets) {
  std::lock_guard<Condition> lock(*bus_.condition_);
  Group& group = bus_.groups_[group_];
  bus_.ExpelSilent(group);
  for (const auto& [partition, offset] : offsets) {
    auto owner = group.owners.find(partition);
    if (owner == group.owners.end() || owner->second != member_) {
      return Conflict("partition " + std::to_string(partition.partition) + " of " +
                      partition.topic + " is not assigned to this member");
    }
  }
  // Under the lock: the partitions stay ours until it is stored.
  return bus_.log_->SaveOffsets(group_, offsets);
}

Result<std::map<TopicPartition, CommittedOffset>> InProcessBus::Consumer::Committed() {
  SAFFRON_ASSIGN(auto offsets, bus_.log_->Offsets(group_));
  std::erase_if(offsets, [this](const auto& entry) { return !cursors_.contains(entry.first); });
  return offsets;
}

Status InProcessBus::Consumer::Seek(const TopicPartition& partition, std::uint64_t offset) {
  auto cursor = cursors_.find(partition);
  if (cursor == cursors_.end()) return Conflict("the partition is not assigned to this member");
  cursor->second.next = offset;
  std::erase_if(batch_.records, [&](const BusRecord& r) { return r.from == partition; });
  return Ok();
}

Status InProcessBus::Consumer::SetPaused(const std::vector<TopicPartition>& partitions,
                                         bool paused) {
  for (const TopicPartition& partition : partitions) {
    if (!cursors_.contains(partition)) {
      return Conflict("the partition is not assigned to this member");
    }
  }
  for (const TopicPartition& partition : partitions) cursors_[partition].paused = paused;
  return Ok();
}

InProcessBus::InProcessBus(Runtime& runtime, std::unique_ptr<PartitionLog> log, Options options)
    : runtime_(runtime),
      options_(options),
      log_(std::move(log)),
      condition_(runtime.NewCondition()) {}

InProcessBus::~InProcessBus() = default;

void InProcessBus::Wake() {
  ++changes_;
  condition_->NotifyAll();
}

InProcessBus::MemberId InProcessBus::Join(const std::string& group,
                                          const std::vector<std::string>& topics) {
  MemberId member = ++last_member_;
  Group& joined = groups_[group];
  joined.members[member] = {{topics.begin(), topics.end()}, runtime_.Now()};
  joined.changed = true;
  Wake();
  return member;
}

void InProcessBus::Leave(Group& group, MemberId member) {
  if (group.members.erase(member) == 0) return;
  std::erase_if(group.owners, [member](const auto& entry) { return entry.second == member; });
  group.changed = true;
  Wake();
}

void InProcessBus::ExpelSilent(Group& group) {
  std::vector<MemberId> silent;
  Instant now = runtime_.Now();
  for (const auto& [id, member] : group.members) {
    if (now - member.seen > options_.session_timeout) silent.push_back(id);
  }
  for (MemberId id : silent) Leave(group, id);
}

Status InProcessBus::Rebalance(const std::string& name, Group& group) {
  std::map<std::string, std::vector<MemberId>> subscribers;
  for (const auto& [id, member] : group.members) {
    for (const std::string& topic : member.topics) subscribers[topic].push_back(id);
  }
  std::map<TopicPartition, MemberId> targets;
  std::size_t turn = 0;  // goes on over topics, so that topics of one partition are spread too
  for (const auto& [topic, members] : subscribers) {
    Result<LogTopic> state = log_->Topic(topic);
    if (state.Is(Code::kNotFound)) continue;  // assigned once it is made
    if (!state.ok()) return std::move(state).error();
    for (std::uint32_t p = 0; p < state->partitions.size(); ++p) {
      targets[{topic, p}] = members[turn++ % members.size()];
    }
  }
  SAFFRON_ASSIGN(group.generation, log_->NextGeneration(name));
  group.targets = std::move(targets);
  group.changed = false;
  Wake();
  return Ok();
}

void InProcessBus::TopicsChanged() {
  std::lock_guard<Condition> lock(*condition_);
  for (auto& [name, group] : groups_) group.changed = true;
  Wake();
}

Status InProcessBus::EnsureTopics(const std::vector<TopicSpec>& topics) {
  SAFFRON_ASSIGN(bool created, log_->EnsureTopics(topics));
  if (created) TopicsChanged();
  return Ok();
}

Result<std::vector<Delivery>> InProcessBus::Produce(const std::vector<BusMessage>& messages,
                                                    Duration) {
  std::vector<const BusMessage*> accepted;
  accepted.reserve(messages.size());
  for (const BusMessage& message : messages) {
    if (SizeOf(message) <= options_.max_message_bytes) accepted.push_back(&message);
  }
  SAFFRON_ASSIGN(std::vector<Delivery> stored, log_->Append(accepted));
  {
    std::lock_guard<Condition> lock(*condition_);
    Wake();
  }
  if (stored.size() == messages.size()) return stored;
  std::vector<Delivery> deliveries(messages.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (next < accepted.size() && accepted[next] == &messages[i]) {
      deliveries[i] = std::move(stored[next++]);
    } else {
      deliveries[i].refused =
          Invalid("message of " + std::to_string(SizeOf(messages[i])) + " bytes: at most " +
                  std::to_string(options_.max_message_bytes) + " are allowed");
    }
  }
  return deliveries;
}

Result<TopicState> InProcessBus::Describe(const std::string& topic) {
  SAFFRON_ASSIGN(LogTopic state, log_->Topic(topic));
  TopicState result;
  result.topic_id = std::move(state.topic_id);
  for (const PartitionBounds& bounds : state.partitions) result.end_offsets.push_back(bounds.end);
  return result;
}

Result<std::vector<BusRecord>> InProcessBus::RecordsAt(
    const std::map<TopicPartition, std::uint64_t>& offsets) {
  std::vector<BusRecord> records;
  for (const auto& [partition, offset] : offsets) {
    const std::size_t before = records.size();
    const Status read = log_->Read(partition, offset, 1, 1, records);
    if (!read.ok() && !read.Is(Code::kCorrupt)) return read.error();
    if (before < records.size() && records.back().offset != offset) records.pop_back();
  }
  return records;
}

Result<std::unique_ptr<BusConsumer>> InProcessBus::Subscribe(
    const std::string& group, const std::vector<std::string>& topics) {
  if (group.empty() || topics.empty()) return Invalid("a subscription needs a group and topics");
  return std::unique_ptr<BusConsumer>(std::make_unique<Consumer>(*this, group, topics));
}

Result<std::map<TopicPartition, CommittedOffset>> InProcessBus::GroupOffsets(
    const std::string& group) {
  return log_->Offsets(group);
}

}  // namespace saffron
