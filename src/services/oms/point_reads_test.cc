// GET of an instance by its id, from a task and from an io thread: the same answers.
#include <gtest/gtest.h>

#include "services/oms/oms_http_test_home.h"

namespace saffron {
namespace {

constexpr char kOrders[] = "/api/v1/instances/logistics/async/Order/";
constexpr char kOrderA[] = "/api/v1/instance/logistics/instance/A?class=Order";

OmsOptions OptionsWith(PointReads point_reads) {
  OmsOptions options;
  options.point_reads = point_reads;
  return options;
}

class PointReadsTest : public ::testing::TestWithParam<PointReads> {
 protected:
  PointReadsTest() : home_(OptionsWith(GetParam())) { home_.KeepFollowing(); }

  std::uint64_t Create(std::string_view name) {
    std::string body = R"({"data":{"id":"A","name":")" + std::string(name) + R"("}})";
    Reply reply = home_.Post(std::string(kOrders) + "create?wait=10", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.Number("/sequence_number");
  }
  // Answered when the graph has the deletion.
  void Delete(const std::string& path, std::string_view read_back) {
    const std::string number = std::to_string(home_.Get(read_back).Number("/data/sequence_number"));
    Reply reply = home_.Do("DELETE", path + "?wait=10&force=true&expected_seq=" + number);
    EXPECT_EQ(reply.status, 200) << reply.body;
  }

  OmsHttpHome home_;
};

TEST_P(PointReadsTest, AnswersAreThoseOfTheContract) {
  home_.MakeOrders();
  EXPECT_EQ(home_.Get(kOrderA).status, 404);
  Create("box");
  for (int i = 0; i < 2; ++i) {
    Reply found = home_.Get(kOrderA);
    EXPECT_EQ(found.status, 200);
    EXPECT_EQ(found.Text("/data/document/name"), "box");
    EXPECT_EQ(found.Text("/data/instance_id"), "A");
  }
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/B?class=Order").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/A?class=Truck").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/nowhere/instance/A?class=Order").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/A?class=a:b").status, 400);
  EXPECT_EQ(home_.Get(std::string(kOrderA) + "&branch=side").status, 404);
  EXPECT_EQ(home_.Get(std::string(kOrderA) + "&min_seq=x").status, 400);
  EXPECT_EQ(home_.Get(std::string(kOrderA) + "&min_position=x").status, 400);
}

TEST_P(PointReadsTest, MinSeqAndMinPositionSeeTheWrite) {
  home_.MakeOrders();
  Create("0");
  for (int i = 1; i <= 30; ++i) {
    std::string name = std::to_string(i);
    Reply update = home_.Do("PUT", std::string(kOrders) + "A/update?expected_seq=" + name,
                            R"({"data":{"name":")" + name + R"("}})");
    ASSERT_EQ(update.status, 202) << update.body;
    std::string condition = i % 2 == 0 ? "&min_seq=" + update.Text("/sequence_number")
                                       : "&min_position=" + update.Text("/position");
    Reply found = home_.Get(std::string(kOrderA) + "&wait=10" + condition);
    EXPECT_EQ(found.Text("/data/document/name"), name) << found.body;
  }
  EXPECT_EQ(home_.Get(std::string(kOrderA) + "&wait=0&min_seq=99").status, 503);
}

TEST_P(PointReadsTest, AClassMadeAgainNeverServesWhatItsDeletionEnded) {
  home_.MakeOrders();
  for (int round = 0; round < 5; ++round) {
    Create("round " + std::to_string(round));
    EXPECT_EQ(home_.Get(kOrderA).Text("/data/document/name"), "round " + std::to_string(round));
    Delete("/api/v1/database/logistics/ontology/Order",
           "/api/v1/database/logistics/ontology/Order");
    EXPECT_EQ(home_.Get(kOrderA).status, 404);
    ASSERT_EQ(home_.Post("/api/v1/database/logistics/ontology?wait=10", kOrderClass).status, 200);
    EXPECT_EQ(home_.Get(kOrderA).status, 404);
  }
}

TEST_P(PointReadsTest, ADatabaseMadeAgainNeverServesWhatItsDeletionEnded) {
  for (std::uint64_t round = 0; round < 3; ++round) {
    home_.MakeOrders();
    EXPECT_EQ(home_.Get(kOrderA).status, 404);
    Create("box");
    EXPECT_EQ(home_.Get(kOrderA).status, 200);
    const std::string number = std::to_string(2 * round + 1);
    Reply deleted = home_.Do("DELETE", "/api/v1/database/logistics?wait=10&expected_seq=" + number);
    ASSERT_EQ(deleted.status, 200) << deleted.body;
    EXPECT_EQ(home_.Get(kOrderA).status, 404);
  }
}

INSTANTIATE_TEST_SUITE_P(Places, PointReadsTest,
                         ::testing::Values(PointReads::kOnTasks, PointReads::kOnIoThreads));

}  // namespace
}  // namespace saffron
