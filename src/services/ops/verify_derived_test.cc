#include "services/ops/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "services/ops/ops_test_home.h"

namespace saffron {
namespace {

using testing::HasSubstr;

TEST(VerifyBus, ALostTail) {
  OpsHome home;
  Fill(home);
  home.In([&] {
    PublishedRow row;
    row.slot = home.Head();
    row.ends[{std::string(kInstanceEventsTopic), 1}] = 10;
    row.ends[kRepublishMark] = 0;
    ASSERT_TRUE(home.registry.PutPublished(row, SlotNumber()).ok());
  });
  ExpectFirst(home.Verify(), "bus: instance_events/1", "it ends at offset 0; 10 was acknowledged");
}

TEST(VerifyBus, WhatWasPublishedIsTheLog) {
  OpsHome home;
  Fill(home);
  home.Publish();
  VerifyReport report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.bus_records, 120u);
  EXPECT_GT(report.index_entries, 0u);
  home.published = SlotNumber();  // sent again from the beginning: repetitions are no difference
  ASSERT_TRUE(home.store.Delete("checkpoints/event_publisher.json").ok());
  home.Publish();
  report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.bus_records, 240u);
}

TEST(VerifyBus, AMissingAnAlteredAndAForeignRecord) {
  // What is told when the records are sent as `alter` leaves them.
  const auto told_of = [](const std::function<void(std::vector<BusMessage>&)>& alter) {
    OpsHome home(8, 1);
    Fill(home);
    home.PublishAltered(alter);
    VerifyReport report = home.Verify();
    EXPECT_FALSE(report.clean());
    EXPECT_THAT(report.differences.front().where, HasSubstr("bus: instance_events/"));
    EXPECT_THAT(report.differences.front().to_do, HasSubstr("delete its checkpoint"));
    return report.differences.front().what;
  };
  EXPECT_THAT(told_of([](auto& messages) { messages.erase(messages.begin() + 7); }),
              HasSubstr("it has"));
  EXPECT_THAT(told_of([](auto& messages) { messages[7].value[20] ^= 1; }),
              HasSubstr("an event of slot "));
  EXPECT_THAT(told_of([](auto& messages) { messages[7].headers.clear(); }), HasSubstr("names no"));
}

TEST(VerifyIndex, AMissingEntryAndADamagedOneAreToldAndRepaired) {
  OpsHome home;
  Fill(home);
  home.Publish();
  for (int round = 0; round < 3; ++round) home.Write(Things(12));
  home.Fold();
  home.Publish();
  auto entries = home.store.List("indexes/by-date/", "", 100);
  ASSERT_GE(entries->size(), 2u);
  ASSERT_TRUE(home.store.Delete(entries->front()).ok());
  VerifyReport report = home.Verify();
  ExpectFirst(report, "index: slots 1 to ", "no entry", "saffron verify --repair index");
  home.store.Corrupt(entries->back(), 8 * 60);
  report = home.Verify();
  EXPECT_EQ(report.differences_total, 2u) << VerifyReportAsText(report);
  EXPECT_THAT(report.differences.back().where, HasSubstr("index: " + entries->back()));
  VerifyOptions repair;
  repair.repair = VerifyOptions::Repair::kIndex;
  report = home.Verify(repair);
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.repaired, 2u);
  report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
}

TEST(VerifyIndex, IsNotRepairedFromADamagedLog) {
  OpsHome home;
  Fill(home);
  home.Publish();
  auto entries = home.store.List("indexes/by-date/", "", 100);
  ASSERT_TRUE(home.store.Delete(entries->front()).ok());
  home.store.Corrupt(SlotKey(0, home.Head()), 8 * 700);
  VerifyOptions repair;
  repair.repair = VerifyOptions::Repair::kIndex;
  VerifyReport report = home.Verify(repair);
  EXPECT_EQ(report.repaired, 0u);
  EXPECT_THAT(report.differences.back().what, HasSubstr("the log itself is damaged"));
  EXPECT_TRUE(home.store.Get(entries->front()).Is(Code::kNotFound));
}

TEST(VerifySample, SeesWhatIsOfItsSlots) {
  OpsHome home;
  Fill(home);
  VerifyOptions sample;
  sample.sample = 3;
  VerifyReport report = home.Verify(sample);
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.slots, 3u);
  EXPECT_EQ(report.sampled_of, home.Head().value);

  sample.sample = 1'000;  // all of them
  report = home.Verify(sample);
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.slots, home.Head().value);
  EXPECT_EQ(report.graph_nodes, 12u);
  EXPECT_EQ(report.search_documents, 12u);
  MemoryGraph::Contents contents = home.graph.Snapshot();
  contents.nodes[OpsHome::Thing(2)].document = "{}";
  contents.nodes.erase(OpsHome::Thing(3));
  home.graph.Restore(std::move(contents));
  report = home.Verify(sample);
  EXPECT_EQ(report.differences_total, 2u) << VerifyReportAsText(report);
  home.store.Corrupt(SlotKey(0, SlotNumber(2)), 8 * 700);
  EXPECT_EQ(home.Verify(sample).differences_total, 3u);
}

}  // namespace
}  // namespace saffron
