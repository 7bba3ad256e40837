#include "eventlog/by_date_index.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

Slot SlotOf(std::uint64_t number, std::size_t events, std::string reserved_at) {
  Slot slot;
  slot.header.slot = SlotNumber(number);
  slot.header.reserved_at = std::move(reserved_at);
  slot.events.resize(events);
  return slot;
}

TEST(ByDateRunTest, GoldenKeyAndBytes) {
  ByDateRun run;
  run.Add(SlotOf(7, 0, "2026-03-04T05:06:07.089Z"));
  run.Add(SlotOf(8, 2, "2026-03-04T05:06:07.100Z"));
  EXPECT_EQ(run.Key(), "indexes/by-date/2026/03/04/1772600767089_000_00000000000000000007.json");
  EXPECT_EQ(run.Json(), R"({"shard":0,"from_slot":7,"to_slot":8,"slots":[)"
                        R"({"key":"events/000/00000000000000000007.jsonl","events":0},)"
                        R"({"key":"events/000/00000000000000000008.jsonl","events":2}],)"
                        R"("first_position":"0-8-0","last_position":"0-8-1"})"
                        "\n");
}

TEST(ByDateRunTest, ATimeThatCannotBeReadIsTheEpoch) {
  ByDateRun run;
  run.Add(SlotOf(1, 0, "soon"));
  EXPECT_EQ(run.Key(), "indexes/by-date/1970/01/01/0000000000000_000_00000000000000000001.json");
  EXPECT_EQ(run.Json().find("position"), std::string::npos);
}

}  // namespace
}  // namespace saffron
