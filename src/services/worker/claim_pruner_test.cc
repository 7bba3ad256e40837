#include "services/worker/claim_pruner.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_registry.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {
namespace {

constexpr std::int64_t kDay = 86'400'000;

class ClaimPrunerTest : public testing::Test {
 protected:
  // Done, at this moment, and decided.
  void PutDone(int rows) {
    RegistryWrite write;
    for (int i = 0; i < rows; ++i) {
      const EventId event{process_.NewUuid()};
      AggregateRow& aggregate = write.put_aggregates.emplace_back();
      aggregate.key = {AggregateType::kInstance, "db:main:Order:" + event.ToString()};
      aggregate.decided.number = SequenceNumber(1);
      write.done.push_back({"worker", event, aggregate.key, SequenceNumber(1)});
    }
    ASSERT_TRUE(
        registry_.Transact(RegistryRead(), [&](const RegistryRows&) { return write; }).ok());
  }
  std::size_t Rows() const {
    return registry_.Inspect([](const MemoryRegistry::Rows& rows) { return rows.claims.size(); });
  }
  ClaimPrunerOptions Options(const std::string& owner) const {
    return {.owner = owner, .retention = milliseconds(30 * kDay), .rows = 4};
  }
  static Duration Must(Result<Duration> stepped) {
    EXPECT_TRUE(stepped.ok());
    return stepped.ok() ? *stepped : Duration(0);
  }

  Simulation simulation_{{.seed = 1}};
  SimProcess process_{simulation_, "worker"};
  std::int64_t now_ms_ = 1'000'000'000'000;
  MemoryRegistry registry_{{.now_ms = [this] { return now_ms_; }}};
};

TEST_F(ClaimPrunerTest, APassIsCallsOfAFewRowsThenItRests) {
  const ClaimPrunerOptions options = Options("one");
  ClaimPruner pruner(process_, registry_, options);
  PutDone(10);
  now_ms_ += 30 * kDay;
  PutDone(2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Must(pruner.Step()), i < 2 ? options.pause : options.rest);
  EXPECT_EQ(Rows(), 12u);  // kept for thirty days, and not a moment less
  now_ms_ += 1;
  std::size_t before = Rows();
  for (int calls = 0; Must(pruner.Step()) == options.pause; ++calls) {
    ASSERT_LT(calls, 3);
    EXPECT_LE(before - Rows(), options.rows);
    before = Rows();
  }
  EXPECT_EQ(Rows(), 2u);
}

TEST_F(ClaimPrunerTest, AStopGivesTheLeaseBack) {
  PutDone(3);
  now_ms_ += 31 * kDay;
  SimProcess other(simulation_, "another worker");
  ClaimPruner first(other, registry_, Options("one"));
  auto task = other.Spawn("pruner", [&] { first.Run(); });
  const RunResult ran =
      simulation_.RunUntil([&] { return Rows() == 0; }, simulation_.Now() + seconds(60));
  ASSERT_EQ(ran.end, RunEnd::kPredicate) << ran.report;
  other.RequestStop();
  task->Join();
  now_ms_ -= 31 * kDay;
  PutDone(3);
  now_ms_ += 31 * kDay;
  ClaimPruner second(process_, registry_, Options("two"));
  EXPECT_EQ(Must(second.Step()), Options("").rest);
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(ClaimPrunerTest, WhoDoesNotHoldTheLeaseDeletesNothing) {
  ClaimPruner first(process_, registry_, Options("one")),
      second(process_, registry_, Options("two"));
  now_ms_ -= 31 * kDay;
  PutDone(3);
  now_ms_ += 31 * kDay;
  ASSERT_EQ(Must(first.Step()), Options("").rest);
  ASSERT_EQ(Rows(), 0u);
  now_ms_ -= 31 * kDay;
  PutDone(3);
  now_ms_ += 31 * kDay;
  EXPECT_EQ(Must(second.Step()), Options("").rest);
  EXPECT_EQ(Rows(), 3u);
}

}  // namespace
}  // namespace saffron
