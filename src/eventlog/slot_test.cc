#include "eventlog/slot.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

const SlotNumber kSlot{12};

Slot Tombstone() {
  SlotHeader header;
  header.log = LogId(*Uuid::Parse("0192f0c1-2a3b-7c4d-8e5f-a6b7c8d9e0f1"));
  header.slot = kSlot;
  header.writer = "host-1/7f";
  header.reserved_at = "2026-01-02T03:04:05.678Z";
  return MakeTombstone(header);
}

// The tombstone with one piece of its header replaced.
Result<Slot> DecodeWith(const std::string& before, const std::string& after) {
  std::string bytes = Tombstone().bytes;
  bytes.replace(bytes.find(before), before.size(), after);
  return DecodeSlot(std::move(bytes), Tombstone().header.log, 0, kSlot);
}

TEST(SlotTest, ATombstoneComesBack) {
  Result<Slot> slot = DecodeWith("", "");
  ASSERT_TRUE(slot.ok()) << slot.error().ToString();
  EXPECT_EQ(slot->header, Tombstone().header);
}

// Found by slot_fuzz: the header is outside of the checksum, and its count was taken for a size.
TEST(SlotTest, ACountThatTheBytesCannotHoldAsksForNoMemory) {
  for (const char* count : {"18446744073709551615", "1000000000000"}) {
    // A batch without an event, whose header says that it has many.
    std::string bytes = Tombstone().bytes;
    bytes.replace(bytes.find("tombstone"), 9, "batch");
    bytes.replace(bytes.find("\"count\":0") + 8, 1, count);
    EXPECT_TRUE(DecodeSlot(bytes, Tombstone().header.log, 0, kSlot).Is(Code::kCorrupt)) << count;
  }
}

// Found by slot_fuzz: shard 2^32 was taken for shard 0.
TEST(SlotTest, AShardBeyond32BitsIsNotCutOff) {
  EXPECT_TRUE(DecodeWith("\"shard\":0", "\"shard\":4294967296").Is(Code::kCorrupt));
}

}  // namespace
}  // namespace saffron
