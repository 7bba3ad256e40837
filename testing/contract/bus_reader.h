// A member of a group and what it has seen, for tests of message buses.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ports/message_bus.h"

namespace saffron {

inline constexpr auto kBusPatience = std::chrono::seconds(30);

// What one member has seen so far.
struct BusReader {
  explicit BusReader(std::unique_ptr<BusConsumer> joined) : consumer(std::move(joined)) {}

  std::unique_ptr<BusConsumer> consumer;
  std::set<TopicPartition> mine;
  std::vector<BusRecord> records;
  std::uint64_t generation = 0;

  void PollOnce(Duration timeout = milliseconds(20)) {
    auto batch = consumer->Poll(1000, timeout);
    ASSERT_TRUE(batch.ok()) << batch.error().ToString();
    for (const auto& partition : batch->revoked) EXPECT_EQ(mine.erase(partition), 1u);
    for (const auto& partition : batch->assigned) EXPECT_TRUE(mine.insert(partition).second);
    EXPECT_GE(batch->generation, generation);
    generation = batch->generation;
    for (auto& record : batch->records) {
      EXPECT_TRUE(mine.contains(record.from)) << "a record of a partition not assigned";
      records.push_back(std::move(record));
    }
  }

  std::vector<std::string> Values() const {
    std::vector<std::string> values;
    for (const auto& record : records) values.push_back(record.value);
    return values;
  }

  // Commits everything seen.
  Status CommitAll() {
    std::map<TopicPartition, CommittedOffset> offsets;
    for (const auto& record : records) {
      if (mine.contains(record.from)) offsets[record.from] = {record.offset + 1, "m"};
    }
    return consumer->Commit(offsets);
  }
};

// Polls the readers in turn until the predicate holds; a failure when it does not in time.
template <class Predicate>
void PollUntil(const std::vector<BusReader*>& readers, Predicate predicate) {
  auto deadline = std::chrono::steady_clock::now() + kBusPatience;
  while (!predicate()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "not in time";
    for (BusReader* reader : readers) ASSERT_NO_FATAL_FAILURE(reader->PollOnce());
  }
}

inline void PollRecords(BusReader& reader, std::size_t count) {
  PollUntil({&reader}, [&] { return reader.records.size() >= count; });
}

inline void ExpectInOrder(const std::vector<BusRecord>& records) {
  std::map<TopicPartition, std::uint64_t> next;
  for (const auto& record : records) {
    auto [at, first] = next.try_emplace(record.from, record.offset);
    EXPECT_EQ(record.offset, at->second);
    at->second = record.offset + 1;
  }
}

}  // namespace saffron
