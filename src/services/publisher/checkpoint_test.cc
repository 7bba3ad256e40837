#include "services/publisher/checkpoint.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

PublisherCheckpoint Example() {
  PublisherCheckpoint checkpoint;
  checkpoint.owner = "host-1/7f";
  checkpoint.epoch = 3;
  checkpoint.renewed_at = "2026-11-23T07:01:02.345Z";
  checkpoint.shards[0] = SlotNumber(41);
  checkpoint.ends[{"instance_events", 0}] = {"id-a", 17, SentRecord{16, {0, SlotNumber(41), 3}},
                                             SentRecord{9, {0, SlotNumber(12), 0}}};
  checkpoint.ends[{"instance_events", 1}] = {"id-a", 0, {}, {}};
  checkpoint.republish_id = 77;
  checkpoint.republish = Republish{SlotNumber(2), SlotNumber(41)};
  return checkpoint;
}

TEST(PublisherCheckpointTest, GoldenBytes) {
  EXPECT_EQ(
      EncodeCheckpoint(Example()),
      R"({"format":1,"owner":"host-1/7f","epoch":3,"renewed_at":"2026-11-23T07:01:02.345Z",)"
      R"("shards":[{"shard":0,"last_slot":41}],"partitions":[)"
      R"({"topic":"instance_events","partition":0,"topic_id":"id-a","end":17,)"
      R"("last":{"offset":16,"position":"0-41-3"},"checked":{"offset":9,"position":"0-12-0"}},)"
      R"({"topic":"instance_events","partition":1,"topic_id":"id-a","end":0}],)"
      R"("republish_id":77,"republish":{"next":2,"to":41},"crc32c":3732515139})"
      "\n");
  EXPECT_EQ(EncodeCheckpoint(PublisherCheckpoint()),
            R"({"format":1,"owner":"","epoch":0,"renewed_at":"","shards":[],"partitions":[],)"
            R"("republish_id":0,"crc32c":1821481494})"
            "\n");
}

TEST(PublisherCheckpointTest, WhatIsEncodedIsDecoded) {
  for (const PublisherCheckpoint& checkpoint : {Example(), PublisherCheckpoint()}) {
    Result<PublisherCheckpoint> decoded = DecodeCheckpoint(EncodeCheckpoint(checkpoint));
    ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
    EXPECT_EQ(*decoded, checkpoint);
  }
}

TEST(PublisherCheckpointTest, NoPrefixIsTakenForAWholeOne) {
  const std::string whole = EncodeCheckpoint(Example());
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_TRUE(DecodeCheckpoint(whole.substr(0, size)).Is(Code::kCorrupt)) << size;
  }
}

// Pipeline simulation, seed 10021458: a flipped bit made slot 13 slot 33, and what lay between was
// never sent.
TEST(PublisherCheckpointTest, NoFlippedBitIsTakenForAWholeOne) {
  const std::string whole = EncodeCheckpoint(Example());
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    EXPECT_TRUE(DecodeCheckpoint(bytes).Is(Code::kCorrupt)) << bytes;
  }
}

// With another text in it, and the checksum that belongs to that.
std::string With(std::size_t at, std::size_t size, std::string_view text) {
  std::string bytes = EncodeCheckpoint(Example());
  bytes.replace(at, size, text);
  return SealCheckpoint(bytes.substr(0, bytes.rfind(",\"crc32c\":")));
}

// Found by checkpoint_fuzz: partition 2^32 + 1 was taken for partition 1.
TEST(PublisherCheckpointTest, AShardOrPartitionBeyond32BitsIsRefused) {
  for (std::string member : {"\"shard\":0", "\"partition\":1"}) {
    const std::size_t at = EncodeCheckpoint(Example()).find(member) + member.size() - 1;
    EXPECT_TRUE(DecodeCheckpoint(With(at, 1, "1")).ok()) << member;
    EXPECT_TRUE(DecodeCheckpoint(With(at, 1, "4294967297")).Is(Code::kCorrupt)) << member;
  }
}

TEST(PublisherCheckpointTest, EachMemberIsNeeded) {
  for (std::string name : {"format", "owner", "epoch", "renewed_at", "shards", "partitions",
                           "republish_id", "last_slot", "topic_id", "next"}) {
    const std::size_t at = EncodeCheckpoint(Example()).find("\"" + name + "\"") + 1;
    EXPECT_TRUE(DecodeCheckpoint(With(at, 1, "X")).Is(Code::kCorrupt)) << name;
  }
  EXPECT_TRUE(DecodeCheckpoint(With(0, 0, " ")).ok());
  const std::size_t format = EncodeCheckpoint(Example()).find(":1,");
  EXPECT_TRUE(DecodeCheckpoint(With(format, 3, ":2,")).Is(Code::kCorrupt));
}

}  // namespace
}  // namespace saffron
