#include "app/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/json_view.h"
#include "services/ops/ops_test_home.h"
#include "services/projection/watermark.h"
#include "services/worker/lease.h"

namespace saffron {
namespace {

using testing::HasSubstr;

// A few aggregates, decided and in the sinks; the projection says that it has passed them all.
struct AdminHome : OpsHome {
  AdminHome() {
    for (int round = 0; round < 3; ++round) Write({0, 1, 2});
    Fold();
    In([this] { SAFFRON_ASSERT(search.SetWatermark(WatermarkAt(Head())).ok()); });
  }
  static std::string WatermarkAt(SlotNumber slot) {
    ProjectionWatermark watermark;
    watermark.slot = slot;
    return EncodeWatermark(watermark);
  }
  std::string Call(const std::function<Result<std::string>(Admin&)>& call) {
    std::string answer;
    In([&] {
      AppendLog append(context, {}, nullptr);
      Admin admin({context, append, registry, bus, graph, search, "test",
                   "checkpoints/event_publisher.json", [this] { ++sweeps; }});
      append.Start();
      Result<std::string> result = call(admin);
      append.Stop(process.Now() + seconds(1));
      answer = result.ok() ? *result : result.error().ToString();
      EXPECT_EQ(result.ok(), JsonView::Of(answer).Is(json::Kind::kObject)) << answer;
    });
    return answer;
  }
  int sweeps = 0;
};

TEST(Admin, StatusAndVerify) {
  AdminHome home;
  const std::string status = home.Call([](Admin& admin) { return admin.Status(); });
  const std::string head = std::to_string(home.Head().value);
  EXPECT_THAT(status, HasSubstr("\"search\":{\"slot\":" + head + ",\"lag_slots\":0}"));
  EXPECT_THAT(status, HasSubstr("\"publisher\":{\"slot\":0,"));
  EXPECT_THAT(status, HasSubstr("\"problems\":[]"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Verify("{}"); }),
              HasSubstr("\"clean\":true"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Verify(R"({"from_slot":0})"); }),
              HasSubstr("INVALID: /from_slot"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Verify(R"({"other":1})"); }),
              HasSubstr("INVALID: /other"));
}

TEST(Admin, AProjectionThatLagsIsTold) {
  AdminHome home;
  home.In([&] { ASSERT_TRUE(home.search.SetWatermark(AdminHome::WatermarkAt({})).ok()); });
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Verify(R"({"patience_seconds":1})"); }),
              HasSubstr("\"first_difference\":{\"where\":\"search: watermark\""));
}

TEST(Admin, RebuildsTheSinks) {
  AdminHome home;
  MemoryGraph::Contents graph = home.graph.Snapshot();
  graph.nodes.erase(OpsHome::Thing(1));
  home.graph.Restore(std::move(graph));
  const auto verify = [](Admin& admin) { return admin.Verify(""); };
  EXPECT_THAT(home.Call(verify), HasSubstr("graph: Instance ops:main:Thing:1"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Rebuild("graph"); }),
              HasSubstr("\"entries\":3"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Rebuild("search"); }),
              HasSubstr("\"entries\":3"));
  EXPECT_THAT(home.Call(verify), HasSubstr("\"clean\":true"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Rebuild("registry"); }),
              HasSubstr("with the server stopped"));
  EXPECT_THAT(home.Call([](Admin& admin) { return admin.Rebuild("bus"); }), HasSubstr("INVALID"));
}

// By another OMS.
TEST(Admin, OneRebuildOfAStoreRunsAtATime) {
  AdminHome home;
  const auto rebuild = [](Admin& admin) { return admin.Rebuild("graph"); };
  home.In([&] {
    HeldLease other(home.process, home.registry, "rebuild_graph", "other", seconds(60));
    ASSERT_TRUE(*other.Take());
    home.process.SleepFor(seconds(100));  // longer than it lasts when nobody renews it
    AppendLog append(home.context, {}, nullptr);
    Admin admin({home.context, append, home.registry, home.bus, home.graph, home.search, "test",
                 "checkpoints/event_publisher.json", [] {}});
    EXPECT_TRUE(admin.Rebuild("graph").Is(Code::kConflict));
  });
  EXPECT_THAT(home.Call(rebuild), HasSubstr("\"entries\":3"));
}

TEST(Admin, WorksOffAndDiscardsWhatIsParked) {
  AdminHome home;
  home.decides = false;
  home.Write({1});
  const ParkKey key{std::string(kInstanceWorker), OpsHome::Thing(1)};
  ClaimWrite write;
  write.put_parked.push_back(
      {key, SequenceNumber(4), OpsHome::CommandId(key.aggregate, 4), "poison", 0});
  ASSERT_TRUE(static_cast<ClaimRegistry&>(home.registry)
                  .Transact(ClaimRead(), [&](const ClaimRows&) { return write; })
                  .ok());
  AdminOperations::DlqFilter one;
  one.aggregate = key.aggregate;
  EXPECT_THAT(home.Call([&](Admin& admin) { return admin.ListDlq({}); }), HasSubstr("poison"));
  EXPECT_THAT(home.Call([&](Admin& admin) { return admin.ListDlq(one); }),
              HasSubstr("\"event_type\":\"DELETE_INSTANCE_REQUESTED\""));
  EXPECT_THAT(home.Call([&](Admin& admin) {
    return admin.DiscardDlq(key.handler, key.aggregate, "wrong order");
  }),
              HasSubstr("\"freed\":true"));
  EXPECT_EQ(home.sweeps, 1);
  EXPECT_THAT(home.Call([&](Admin& admin) { return admin.ReplayDlq(key.handler, key.aggregate); }),
              HasSubstr("NOT_FOUND"));
  const CommandRow row = home.CommandRowOf(OpsHome::CommandId(key.aggregate, 4));
  EXPECT_TRUE(row.outcome && row.outcome_rejected);
}

}  // namespace
}  // namespace saffron
