// A decorator for each port that lets a FaultPlan decide what happens to every call.
#pragma once

#include <memory>
#include <string>

#include "ports/append_registry.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/object_store.h"
#include "ports/search_index.h"
#include "testing/faults/faults.h"

namespace saffron {

class FaultyObjectStore final : public ObjectStore {
 public:
  FaultyObjectStore(ObjectStore& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    return plan_.Put<Result<std::string>>(
        "store.put_if_absent",
        [&inner = inner_, key = std::string(key), bytes = std::string(bytes)] {
          return inner.PutIfAbsent(key, bytes);
        });
  }
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override {
    return plan_.Put<Result<std::string>>(
        "store.put_if_match",
        [&inner = inner_, key = std::string(key), bytes = std::string(bytes),
         etag = std::string(etag)] { return inner.PutIfMatch(key, bytes, etag); });
  }
  Status Put(std::string_view key, std::string_view bytes) override {
    return plan_.Put<Status>("store.put",
                             [&inner = inner_, key = std::string(key), bytes = std::string(bytes)] {
                               return inner.Put(key, bytes);
                             });
  }
  Result<StoredObject> Get(std::string_view key) override {
    return plan_.Read<Result<StoredObject>>("store.get", [&] { return inner_.Get(key); });
  }
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override {
    return plan_.Read<Result<std::string>>(
        "store.get_range", [&] { return inner_.GetRange(key, offset_bytes, length_bytes); });
  }
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override {
    return plan_.Read<Result<std::vector<std::string>>>(
        "store.list", [&] { return inner_.List(prefix, after, limit); });
  }
  Status Delete(std::string_view key) override {
    return plan_.Change<Status>("store.delete", [&] { return inner_.Delete(key); });
  }
  std::string Describe() const override { return inner_.Describe(); }

 private:
  ObjectStore& inner_;
  FaultPlan& plan_;
};

class FaultyAppendRegistry final : public AppendRegistry {
 public:
  FaultyAppendRegistry(AppendRegistry& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Status Transact(const RegistryRead& read, const Decide& decide) override {
    return plan_.Change<Status>(
        "registry.transact", [&] { return inner_.Transact(read, decide); },
        [&] {
          (void)inner_.Transact(read, [&](const RegistryRows& rows) {
            (void)decide(rows);
            return RegistryWrite();
          });
        });
  }
  Result<RegistryRows> Read(const RegistryRead& read) override {
    return plan_.Read<Result<RegistryRows>>("registry.read", [&] { return inner_.Read(read); });
  }
  Result<std::vector<Reservation>> Reservations() override {
    return plan_.Read<Result<std::vector<Reservation>>>("registry.reservations",
                                                        [&] { return inner_.Reservations(); });
  }
  Result<std::vector<CommandRow>> CommandsOf(const AggregateKey& aggregate, SequenceNumber from,
                                             SequenceNumber to, std::size_t limit) override {
    return plan_.Read<Result<std::vector<CommandRow>>>(
        "registry.commands_of", [&] { return inner_.CommandsOf(aggregate, from, to, limit); });
  }
  Result<std::vector<AggregateRow>> List(AggregateType type, std::string_view id_prefix,
                                         std::string_view after, std::size_t limit) override {
    return plan_.Read<Result<std::vector<AggregateRow>>>(
        "registry.list", [&] { return inner_.List(type, id_prefix, after, limit); });
  }
  Result<std::vector<CommandRow>> Undecided(const Position& after, std::size_t limit) override {
    return plan_.Read<Result<std::vector<CommandRow>>>(
        "registry.undecided", [&] { return inner_.Undecided(after, limit); });
  }
  Result<std::unique_ptr<FenceLock>> LockFence() override {
    return plan_.Read<Result<std::unique_ptr<FenceLock>>>("registry.lock_fence",
                                                          [&] { return inner_.LockFence(); });
  }
  Status Clear() override {
    return plan_.Change<Status>("registry.clear", [&] { return inner_.Clear(); });
  }

 private:
  AppendRegistry& inner_;
  FaultPlan& plan_;
};

class FaultyClaimRegistry final : public ClaimRegistry {
 public:
  FaultyClaimRegistry(ClaimRegistry& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Status Transact(const ClaimRead& read, const Decide& decide) override {
    return plan_.Change<Status>(
        "claims.transact", [&] { return inner_.Transact(read, decide); },
        [&] {
          (void)inner_.Transact(read, [&](const ClaimRows& rows) {
            (void)decide(rows);
            return ClaimWrite();
          });
        });
  }
  Result<ClaimRows> Read(const ClaimRead& read) override {
    return plan_.Read<Result<ClaimRows>>("claims.read", [&] { return inner_.Read(read); });
  }
  Result<std::uint64_t> Heartbeat(const std::string& handler, const std::string& owner) override {
    return plan_.Change<Result<std::uint64_t>>("claims.heartbeat",
                                               [&] { return inner_.Heartbeat(handler, owner); });
  }
  Result<std::vector<ClaimRow>> ClaimsWith(const std::string& handler, ClaimStatus status,
                                           std::size_t limit) override {
    return plan_.Read<Result<std::vector<ClaimRow>>>(
        "claims.with", [&] { return inner_.ClaimsWith(handler, status, limit); });
  }
  Result<std::vector<ParkedRow>> Parked(const std::string& handler,
                                        const std::optional<ParkKey>& after,
                                        std::size_t limit) override {
    return plan_.Read<Result<std::vector<ParkedRow>>>(
        "claims.parked", [&] { return inner_.Parked(handler, after, limit); });
  }
  Status PutPublished(const PublishedRow& row, SlotNumber prune_below) override {
    return plan_.Change<Status>("claims.put_published",
                                [&] { return inner_.PutPublished(row, prune_below); });
  }
  Result<std::optional<PublishedRow>> PublishedAt(std::uint32_t shard, SlotNumber slot) override {
    return plan_.Read<Result<std::optional<PublishedRow>>>(
        "claims.published_at", [&] { return inner_.PublishedAt(shard, slot); });
  }
  Result<Pruned> Prune(std::int64_t processed_before_ms, std::size_t limit) override {
    return plan_.Change<Result<Pruned>>("claims.prune",
                                        [&] { return inner_.Prune(processed_before_ms, limit); });
  }

 private:
  ClaimRegistry& inner_;
  FaultPlan& plan_;
};

class FaultyConsumer final : public BusConsumer {
 public:
  FaultyConsumer(std::unique_ptr<BusConsumer> inner, FaultPlan& plan)
      : inner_(std::move(inner)), plan_(plan) {}

  // Records whose answer is lost are as good as a crash of the consumer's network: the group's
  // protocol gives them again only after a seek, so a lost poll is not injected.
  Result<BusBatch> Poll(std::size_t max_records, Duration timeout) override {
    return plan_.Before<Result<BusBatch>>("bus.poll",
                                          [&] { return inner_->Poll(max_records, timeout); });
  }
  Status Commit(const std::map<TopicPartition, CommittedOffset>& offsets) override {
    return plan_.Change<Status>("bus.commit", [&] { return inner_->Commit(offsets); });
  }
  Result<std::map<TopicPartition, CommittedOffset>> Committed() override {
    return plan_.Read<Result<std::map<TopicPartition, CommittedOffset>>>(
        "bus.committed", [&] { return inner_->Committed(); });
  }
  Status Seek(const TopicPartition& partition, std::uint64_t offset) override {
    return plan_.Before<Status>("bus.seek", [&] { return inner_->Seek(partition, offset); });
  }
  Status Pause(const std::vector<TopicPartition>& partitions) override {
    return inner_->Pause(partitions);
  }
  Status Resume(const std::vector<TopicPartition>& partitions) override {
    return inner_->Resume(partitions);
  }

 private:
  const std::unique_ptr<BusConsumer> inner_;
  FaultPlan& plan_;
};

class FaultyBus final : public MessageBus {
 public:
  FaultyBus(MessageBus& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Status EnsureTopics(const std::vector<TopicSpec>& topics) override {
    return plan_.Change<Status>("bus.ensure_topics", [&] { return inner_.EnsureTopics(topics); });
  }
  Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages,
                                        Duration timeout) override {
    return plan_.Change<Result<std::vector<Delivery>>>(
        "bus.produce", [&] { return inner_.Produce(messages, timeout); }, nullptr,
        [&inner = inner_, &random = plan_.process().simulation().random(), messages, timeout] {
          std::map<TopicPartition, std::vector<const BusMessage*>> parts;
          for (const BusMessage& message : messages) {
            auto topic = inner.Describe(message.topic);
            if (!topic.ok()) continue;
            const auto partitions = static_cast<std::uint32_t>(topic->end_offsets.size());
            parts[{message.topic, PartitionOf(message.key, partitions)}].push_back(&message);
          }
          std::vector<BusMessage> stored;
          for (const auto& [partition, part] : parts) {
            const auto size = static_cast<std::uint32_t>(part.size());
            const std::uint32_t cut = random.Below(2) == 0 ? size : random.Below(size + 1);
            for (std::uint32_t i = 0; i < cut; ++i) stored.push_back(*part[i]);
          }
          (void)inner.Produce(stored, timeout);
        });
  }
  Result<TopicState> Describe(const std::string& topic) override {
    return plan_.Read<Result<TopicState>>("bus.describe", [&] { return inner_.Describe(topic); });
  }
  Result<std::vector<BusRecord>> RecordsAt(
      const std::map<TopicPartition, std::uint64_t>& offsets) override {
    return plan_.Read<Result<std::vector<BusRecord>>>("bus.records_at",
                                                      [&] { return inner_.RecordsAt(offsets); });
  }
  Result<std::unique_ptr<BusConsumer>> Subscribe(const std::string& group,
                                                 const std::vector<std::string>& topics) override {
    using Answer = Result<std::unique_ptr<BusConsumer>>;
    Answer consumer =
        plan_.Before<Answer>("bus.subscribe", [&] { return inner_.Subscribe(group, topics); });
    if (!consumer.ok()) return consumer;
    return std::unique_ptr<BusConsumer>(
        std::make_unique<FaultyConsumer>(std::move(consumer).value(), plan_));
  }
  Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(
      const std::string& group) override {
    return plan_.Read<Result<std::map<TopicPartition, CommittedOffset>>>(
        "bus.group_offsets", [&] { return inner_.GroupOffsets(group); });
  }

 private:
  MessageBus& inner_;
  FaultPlan& plan_;
};

class FaultyGraph final : public GraphStore {
 public:
  FaultyGraph(GraphStore& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Result<GraphState> State() override {
    return plan_.Read<Result<GraphState>>("graph.state", [&] { return inner_.State(); });
  }
  Status TakeOver(std::uint64_t epoch) override {
    return plan_.Change<Status>("graph.take_over", [&] { return inner_.TakeOver(epoch); });
  }
  Status Commit(const GraphCommit& commit) override {
    return plan_.Change<Status>("graph.commit", [&] { return inner_.Commit(commit); });
  }
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override {
    return plan_.Read<Result<std::map<AggregateKey, GraphNode>>>("graph.get",
                                                                 [&] { return inner_.Get(keys); });
  }
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit) override {
    return plan_.Read<Result<std::vector<GraphNode>>>(
        "graph.list", [&] { return inner_.List(type, id_prefix, after, limit); });
  }
  Result<GraphResult> Query(const GraphQuery& query) override {
    return plan_.Read<Result<GraphResult>>("graph.query", [&] { return inner_.Query(query); });
  }
  Result<std::unique_ptr<GraphStore>> NewGeneration() override { return inner_.NewGeneration(); }
  Status Activate(GraphStore& next) override { return inner_.Activate(next); }

 private:
  GraphStore& inner_;
  FaultPlan& plan_;
};

class FaultySearch final : public SearchIndex {
 public:
  FaultySearch(SearchIndex& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override {
    return plan_.Put<Result<std::vector<WriteRefusal>>>(
        "search.write", [&inner = inner_, documents] { return inner.Write(documents); });
  }
  Status Refresh() override {
    return plan_.Put<Status>("search.refresh", [&inner = inner_] { return inner.Refresh(); });
  }
  Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) override {
    return plan_.Read<Result<std::map<AggregateKey, SearchDocument>>>(
        "search.get", [&] { return inner_.Get(keys); });
  }
  Result<SearchPage> Search(const SearchQuery& query) override {
    return plan_.Read<Result<SearchPage>>("search.search", [&] { return inner_.Search(query); });
  }
  Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                           std::size_t limit) override {
    return plan_.Read<Result<std::vector<SearchDocument>>>(
        "search.scan", [&] { return inner_.Scan(after, limit); });
  }
  Result<std::string> Watermark() override {
    return plan_.Read<Result<std::string>>("search.watermark", [&] { return inner_.Watermark(); });
  }
  Status SetWatermark(std::string_view value) override {
    return plan_.Put<Status>("search.set_watermark", [&inner = inner_, value = std::string(value)] {
      return inner.SetWatermark(value);
    });
  }
  Result<std::unique_ptr<SearchIndex>> NewGeneration() override { return inner_.NewGeneration(); }
  Status Activate(SearchIndex& next) override { return inner_.Activate(next); }

 private:
  SearchIndex& inner_;
  FaultPlan& plan_;
};

}  // namespace saffron
