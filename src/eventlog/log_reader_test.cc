#include "eventlog/log_reader.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "testing/faults/faulty_ports.h"
#include "testing/log_builder.h"

namespace saffron {
namespace {

// A follower of a log that others write, and how often it asks the store.
class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() { Commit(3); }

  void Commit(int slots) {
    for (int i = 0; i < slots; ++i) {
      builder_.Outcome(AggregateKey::Instance("db", "main", "C", "a"), "{}").Commit();
    }
  }
  // Follows for so long and counts what it got.
  void Follow(Duration time) {
    const Instant end = process_.Now() + time;
    while (process_.Now() < end) {
      auto slots = reader_->Read(100, end);
      ASSERT_TRUE(slots.ok());
      for (const SlotPtr& slot : *slots) EXPECT_EQ(slot->number().value, ++read_);
    }
  }
  std::uint64_t GetsIn(const std::function<void()>& body) {
    const std::uint64_t before = counts_.calls;
    body();
    return counts_.calls - before;
  }
  void In(const std::function<void()>& body) {
    process_
        .Spawn("test",
               [&] {
                 reader_ = std::make_unique<LogReader>(context_, SlotNumber(read_ + 1),
                                                       LogReader::Options());
                 body();
                 reader_.reset();
               })
        ->Join();
  }

  Simulation sim_{Simulation::Options{.seed = 1}};
  SimProcess process_{sim_, "follower"};
  SimProcess environment_{sim_, "environment"};
  TaskGroup late_{environment_};
  FaultRates rates_;
  FaultCounts counts_;
  FaultPlan plan_{process_, environment_, late_, rates_, counts_};
  MemoryObjectStore memory_;
  FaultyObjectStore store_{memory_, plan_};
  MemoryRegistry registry_{{.now_ms = [] { return std::int64_t{0}; }}};
  LogBuilder builder_{memory_};
  Log log_ = Log::Discard();
  LogContext context_{process_, store_, registry_, log_, builder_.format(), 0u, "test"};
  std::unique_ptr<LogReader> reader_;
  std::uint64_t read_ = 0;
};

TEST_F(LogReaderTest, ToldOfEverySlotItAsksForEachOnce) {
  context_.told.store(true);
  In([&] {
    Follow(seconds(1));
    EXPECT_EQ(read_, 3u);
    EXPECT_EQ(GetsIn([&] {
                for (int i = 0; i < 20; ++i) {
                  Commit(1);
                  context_.committed.Raise(builder_.last());
                  Follow(milliseconds(7));
                }
              }),
              20u);
    EXPECT_EQ(read_, 23u);
    EXPECT_LE(GetsIn([&] { Follow(seconds(10)); }), 11u);  // idle
  });
}

TEST_F(LogReaderTest, ANotificationThatGotLostDelaysByASecond) {
  context_.told.store(true);
  In([&] {
    Follow(seconds(1));
    Commit(5);
    Follow(seconds(1) + milliseconds(10));
    EXPECT_EQ(read_, 8u);
  });
}

TEST_F(LogReaderTest, NotToldItPollsAtABoundedRate) {
  In([&] {
    Follow(seconds(1));
    EXPECT_LE(GetsIn([&] { Follow(seconds(10)); }), 51u);
    Commit(1);
    Follow(milliseconds(210));
    EXPECT_EQ(read_, 4u);
  });
}

// The slot above was faster; the one before it is still on its way, for as long as a reservation.
TEST_F(LogReaderTest, AHoleIsAskedForAtABoundedRate) {
  for (bool told : {false, true}) {
    context_.told.store(told);
    In([&] {
      context_.committed.Raise(builder_.last().Next().Next());
      EXPECT_LE(GetsIn([&] { Follow(seconds(5)); }), 260u);
      Commit(1);
      Follow(milliseconds(25));
      EXPECT_EQ(read_, builder_.last().value);
    });
    read_ = 0;
  }
}

// As from a store on a server.
TEST_F(LogReaderTest, ABacklogIsReadSeveralSlotsAtOnceInOrderEachOnce) {
  constexpr int kSlots = 80;
  rates_.slow = 1000;
  rates_.slow_max = milliseconds(100);
  const auto takes = [&](std::size_t at_once) {
    Commit(kSlots);
    context_.committed.Raise(builder_.last());
    context_.reads_at_once = at_once;
    const Instant begin = process_.Now();
    const std::uint64_t gets = GetsIn([&] {
      In([&] {
        while (read_ < builder_.last().value) Follow(milliseconds(10));
      });
    });
    EXPECT_LE(gets, kSlots + 4);  // the first three slots, and the look at what comes next
    return process_.Now() - begin;
  };
  const Duration one_by_one = takes(1), at_once = takes(4);
  EXPECT_LT(at_once * 2, one_by_one);
}

TEST_F(LogReaderTest, AFailureAmongSeveralReadsIsToldInItsPlace) {
  constexpr int kSlots = 60;
  Commit(kSlots - 3);
  context_.committed.Raise(builder_.last());
  context_.reads_at_once = 4;
  rates_.fail_before = 200;
  In([&] {
    int failed = 0;
    while (read_ < kSlots) {
      auto slots = reader_->Read(100, process_.Now() + seconds(1));
      if (!slots.ok()) ++failed;
      for (const SlotPtr& slot : slots.ok() ? *slots : std::vector<SlotPtr>()) {
        EXPECT_EQ(slot->number().value, ++read_);
      }
    }
    EXPECT_GT(failed, 0);
  });
}

}  // namespace
}  // namespace saffron
