#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/ops/ops_test_home.h"
#include "services/ops/parked_report.h"
#include "services/ops/system_status.h"

namespace saffron {
namespace {

using testing::HasSubstr;

// The third command of thing 1 is parked, undecided.
ParkKey Park(OpsHome& home) {
  home.Write({0, 1});
  home.Fold();
  home.decides = false;
  home.Write({1});
  const ParkKey key{"instance_worker", OpsHome::Thing(1)};
  ClaimWrite write;
  write.put_parked.push_back(
      {key, SequenceNumber(2), OpsHome::CommandId(OpsHome::Thing(1), 2), "it \"burns\"", 0});
  SAFFRON_ASSERT(static_cast<ClaimRegistry&>(home.registry)
                     .Transact(ClaimRead(), [&](const ClaimRows&) { return write; })
                     .ok());
  return key;
}

StatusSubjects SubjectsOf(OpsHome& home) {
  return {home.registry, home.graph, [] { return Result<SlotNumber>(SlotNumber(1)); },
          []() -> Result<SlotNumber> { return Unavailable("no index"); }};
}

TEST(SystemStatus, TellsWhereEverythingStands) {
  OpsHome home;
  Park(home);
  SystemStatus status;
  home.In([&] { status = ReadSystemStatus(home.context, SubjectsOf(home)); });
  EXPECT_EQ(status.head, home.Head());
  EXPECT_EQ(status.next_slot, home.Head().Next());
  EXPECT_TRUE(status.fenced);
  EXPECT_EQ(status.reservations, 0u);
  EXPECT_EQ(status.undecided, 1u);
  EXPECT_EQ(status.graph, SlotNumber(home.Head().value - 1));
  EXPECT_EQ(status.published, SlotNumber(1));
  EXPECT_EQ(status.parked, (std::map<std::string, std::uint64_t>{{"instance_worker", 1}}));
  const std::string json = SystemStatusAsJson(status);
  EXPECT_THAT(json, HasSubstr("\"search\":{\"slot\":null,\"lag_slots\":null}"));
  EXPECT_THAT(json, HasSubstr("search: UNAVAILABLE: no index"));
  EXPECT_THAT(json, HasSubstr("\"parked\":{\"instance_worker\":1}"));
}

TEST(SystemStatus, OfAnEmptyLog) {
  OpsHome home;
  SystemStatus status;
  home.In([&] { status = ReadSystemStatus(home.context, SubjectsOf(home)); });
  EXPECT_EQ(status.head, SlotNumber(0));
}

TEST(ParkedReport, ListsAndShows) {
  OpsHome home;
  const ParkKey key = Park(home);
  home.In([&] {
    auto listed = ListParked(home.registry, "", 10);
    ASSERT_TRUE(listed.ok());
    EXPECT_THAT(*listed, HasSubstr("\"aggregate_id\":\"ops:main:Thing:1\""));
    EXPECT_THAT(*listed, HasSubstr("\"more\":false"));
    EXPECT_EQ(*ListParked(home.registry, "ontology_worker", 10), R"({"parked":[],"more":false})");
    auto shown = ShowParked(home.context, home.registry, key, 10);
    ASSERT_TRUE(shown.ok());
    EXPECT_THAT(*shown, HasSubstr(R"("reason":"it \"burns\"")"));
    EXPECT_THAT(*shown, HasSubstr("\"commands\":[{\"event_id\":\"" +
                                  OpsHome::CommandId(key.aggregate, 2).ToString()));
    EXPECT_TRUE(
        FindParked(home.registry, {"instance_worker", OpsHome::Thing(0)}).Is(Code::kNotFound));
  });
}

}  // namespace
}  // namespace saffron
