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
                 reader_ =
                     std::make_unique<LogReader>(context_, SlotNumber(1), LogReader::Options());
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

}  // namespace
}  // namespace saffron
