#include "services/projection/watermark.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

ProjectionWatermark Example() {
  ProjectionWatermark watermark;
  watermark.generation = "g";
  watermark.republish_id = 9;
  watermark.slot = SlotNumber(17);
  watermark.partitions[{"instance_events", 0}] = {"id", 5};
  watermark.partitions[{"ontology_events", 1}] = {"id2", 6};
  return watermark;
}

PublishedRow Row(std::uint64_t mark, std::uint64_t instance_end) {
  PublishedRow row;
  row.slot = SlotNumber(20);
  row.ends[kRepublishMark] = mark;
  row.ends[{"instance_events", 0}] = instance_end;
  row.ends[{"instance_events", 1}] = 0;
  row.ends[{"instance_commands", 0}] = 1000;
  return row;
}

TEST(WatermarkTest, GoldenBytesAndBack) {
  const std::string text = EncodeWatermark(Example());
  EXPECT_EQ(text, R"({"format":1,"generation":"g","republish_id":9,"slot":17,"partitions":[)"
                  R"({"topic":"instance_events","partition":0,"topic_id":"id","next":5},)"
                  R"({"topic":"ontology_events","partition":1,"topic_id":"id2","next":6}]})");
  EXPECT_EQ(*DecodeWatermark(text), Example());
  EXPECT_EQ(*DecodeWatermark(EncodeWatermark({})), ProjectionWatermark());
  EXPECT_EQ(*DecodeWatermark(""), ProjectionWatermark());
  EXPECT_TRUE(DecodeWatermark(text.substr(0, text.size() - 1)).Is(Code::kCorrupt));
  EXPECT_TRUE(DecodeWatermark("{\"format\":2}").Is(Code::kCorrupt));
}

// Partition 2^32 + 1 was taken for partition 1.
TEST(WatermarkTest, APartitionBeyond32BitsIsRefused) {
  std::string text = EncodeWatermark(Example());
  const std::string member = "\"partition\":1";
  text.replace(text.find(member), member.size(), "\"partition\":4294967297");
  EXPECT_TRUE(DecodeWatermark(text).Is(Code::kCorrupt));
}

TEST(WatermarkTest, ARowIsPassedByTheOffsetsOfItsOwnRepublish) {
  EXPECT_TRUE(HasPassed(Example(), Row(9, 5)));
  EXPECT_FALSE(HasPassed(Example(), Row(9, 6)));
  EXPECT_FALSE(HasPassed(Example(), Row(8, 5)));
  EXPECT_FALSE(HasPassed(Example(), PublishedRow{0, SlotNumber(20), {}}));
  EXPECT_TRUE(HasPassed(Example(), PublishedRow{0, SlotNumber(17), {}}));  // by its slot
  PublishedRow unknown = Row(9, 5);
  unknown.ends[{"ontology_events", 0}] = 1;
  EXPECT_FALSE(HasPassed(Example(), unknown));
}

}  // namespace
}  // namespace saffron
