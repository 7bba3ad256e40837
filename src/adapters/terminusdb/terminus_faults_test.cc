// What breaks between the adapter and the server, each with the code that tells the caller what to
// do about it.
#include <gmock/gmock.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "adapters/terminusdb/terminus_test_home.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

GraphNode NodeOf(const std::string& id, std::uint64_t version,
                 const std::vector<std::string>& places = {}) {
  GraphNode node;
  node.key = AggregateKey::Instance("db", "main", "Order", id);
  node.version = SequenceNumber(version);
  node.lifecycle = Lifecycle::kPresent;
  node.scope = {SequenceNumber(1), SequenceNumber(1)};
  node.document = R"({"v":)" + std::to_string(version) + "}";
  for (const std::string& place : places) node.references.push_back({"at", "Place", place});
  return node;
}

GraphCommit CommitOf(std::uint64_t epoch, std::uint64_t slot, std::vector<GraphNode> nodes) {
  return {epoch, {SlotNumber(slot)}, std::move(nodes)};
}

class TerminusFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    RealServer* server = nullptr;
    SAFFRON_NEED_SERVER(server, "terminusdb");
    control_ = std::make_unique<TerminusControl>(server->address());
    home_ = std::make_unique<TerminusHome>(OptionsOfDouble(server->address()));
    graph_ = home_->OpenGraph();
    ASSERT_TRUE(graph_->TakeOver(1).ok());
    ASSERT_TRUE(graph_->Commit(CommitOf(1, 1, {NodeOf("o1", 1)})).ok());
  }
  std::uint64_t VersionOf(const std::string& id) {
    auto found = graph_->Get({NodeOf(id, 1).key});
    EXPECT_TRUE(found.ok());
    return found.ok() && !found->empty() ? found->begin()->second.version.value : 0;
  }
  std::uint64_t Position() { return graph_->State()->position.slot.value; }
  void FailWrites(const std::string& how) {
    control_->Fault(R"({"method":"POST","path":"/api/woql",)" + how + "}");
  }

  std::unique_ptr<TerminusControl> control_;
  std::unique_ptr<TerminusHome> home_;
  std::shared_ptr<TerminusGraph> graph_;
};

TEST_F(TerminusFaults, ALostAnswerIsFoundOutFromTheFence) {
  const GraphCommit commit = CommitOf(1, 2, {NodeOf("o1", 2)});
  FailWrites(R"("action":"lose_answer")");
  EXPECT_TRUE(graph_->Commit(commit).Is(Code::kUnknownOutcome));
  EXPECT_EQ(Position(), 2u);
  EXPECT_EQ(VersionOf("o1"), 2u);
  // The same again changes no node, and goes on from where the graph is.
  EXPECT_TRUE(graph_->Commit(commit).ok());
  EXPECT_TRUE(graph_->Commit(CommitOf(1, 3, {NodeOf("o1", 3, {"p1"}), NodeOf("o2", 1)})).ok());
  EXPECT_EQ(VersionOf("o2"), 1u);
  // Nor does it when the answer to what it made new is lost.
  const GraphCommit fresh = CommitOf(1, 4, {NodeOf("o3", 1, {"p2"})});
  FailWrites(R"("action":"lose_answer")");
  EXPECT_TRUE(graph_->Commit(fresh).Is(Code::kUnknownOutcome));
  EXPECT_TRUE(graph_->Commit(fresh).ok());
  EXPECT_EQ(VersionOf("o3"), 1u);
}

TEST_F(TerminusFaults, ARequestThatWasCutMayOrMayNotHaveArrived) {
  FailWrites(R"("action":"drop")");
  EXPECT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o1", 2)})).Is(Code::kUnknownOutcome));
  EXPECT_EQ(Position(), 1u);
  EXPECT_EQ(VersionOf("o1"), 1u);
  EXPECT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o1", 2)})).ok());
}

// The commit whose answer was lost is still on its way when the same one is sent again.
TEST_F(TerminusFaults, ACommitThatComesLateIsNotAppliedTwice) {
  TerminusGraphOptions impatient = home_->options();
  impatient.write_timeout = milliseconds(500);
  ThreadRuntime runtime;
  Log log = Log::Discard();
  auto first = TerminusGraph::Open(impatient, runtime, log);
  ASSERT_TRUE(first.ok());
  FailWrites(R"("action":"hold")");
  EXPECT_TRUE((*first)->Commit(CommitOf(1, 2, {NodeOf("o1", 2)})).Is(Code::kUnknownOutcome));
  control_->WaitHeld();
  EXPECT_EQ(Position(), 1u);
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o1", 2)})).ok());
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 3, {NodeOf("o1", 3)})).ok());
  control_->Release();
  EXPECT_EQ(VersionOf("o1"), 3u);
  EXPECT_EQ(Position(), 3u);
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 4, {NodeOf("o1", 4)})).ok());
}

TEST_F(TerminusFaults, ALateWriterOfAnOldLeaseChangesNothing) {
  auto old_graph = home_->OpenGraph();
  // Its cached fence is right when it sends, and wrong by the time the server gets to it.
  ASSERT_TRUE(old_graph->Commit(CommitOf(1, 2, {NodeOf("o2", 1)})).ok());
  FailWrites(R"("action":"hold")");
  Status late = Ok();
  std::thread writer([&] {
    late = old_graph->Commit(CommitOf(1, 3, {NodeOf("o1", 9), NodeOf("ghost", 1)}));
  });
  control_->WaitHeld();
  ASSERT_TRUE(graph_->TakeOver(2).ok());
  ASSERT_TRUE(graph_->Commit(CommitOf(2, 3, {NodeOf("o1", 2)})).ok());
  control_->Release();
  writer.join();
  EXPECT_TRUE(late.Is(Code::kConflict)) << (late.ok() ? "ok" : late.error().ToString());
  EXPECT_EQ(VersionOf("o1"), 2u);
  EXPECT_EQ(VersionOf("ghost"), 0u);
  EXPECT_EQ(graph_->State()->epoch, 2u);
  EXPECT_TRUE(old_graph->Commit(CommitOf(1, 4, {NodeOf("o1", 9)})).Is(Code::kConflict));
}

TEST_F(TerminusFaults, EveryKindOfRefusalHasItsCode) {
  const GraphCommit commit = CommitOf(1, 2, {NodeOf("o1", 2)});
  struct Case {
    std::string how;
    Code code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {R"("action":"status","status":400,"body":{"@type":"api:WoqlErrorResponse","api:error":)"
       R"({"@type":"api:SchemaCheckFailure","api:witnesses":[]},"api:message":"bad one"})",
       Code::kInvalid, "bad one"},
      {R"("action":"status","status":500,"body":{"api:message":)"
       R"("Transaction retry count exceeded in internal operation"})",
       Code::kUnavailable, "retry count"},
      {R"("action":"status","status":503)", Code::kUnknownOutcome, "503"},
      {R"("action":"status","status":500)", Code::kUnknownOutcome, "500"},
      {R"("action":"status","status":401)", Code::kUnavailable, "TERMINUS_KEY"},
      {R"("action":"status","status":403)", Code::kUnavailable, "TERMINUS_ACCOUNT"},
      {R"("action":"status","status":400)", Code::kInternal, "400"},
  };
  for (const Case& one : cases) {
    FailWrites(one.how);
    Status done = graph_->Commit(commit);
    ASSERT_FALSE(done.ok()) << one.how;
    EXPECT_EQ(done.code(), one.code) << one.how;
    EXPECT_THAT(done.error().message(), HasSubstr(one.says));
    EXPECT_EQ(Position(), 1u);
  }
  EXPECT_TRUE(graph_->Commit(commit).ok());
}

TEST_F(TerminusFaults, ABrokenReadIsRepeatedOnceAndThenAnOutage) {
  const std::string cut = R"({"path":"/api/document","action":"drop","times":)";
  control_->Fault(cut + "1}");
  EXPECT_TRUE(graph_->State().ok());
  control_->Fault(cut + "2}");
  EXPECT_TRUE(graph_->State().Is(Code::kUnavailable));
  control_->Fault(R"({"path":"/api/document","action":"status","status":500})");
  EXPECT_TRUE(graph_->Get({NodeOf("o1", 1).key}).Is(Code::kUnavailable));
}

TEST_F(TerminusFaults, AnIdThatIsNoneRefusesTheWholeCommit) {
  GraphNode bad = NodeOf("o2", 1);
  bad.key.id = "no-parts";
  EXPECT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o3", 1), bad})).Is(Code::kInvalid));
  EXPECT_EQ(VersionOf("o3"), 0u);
  EXPECT_EQ(Position(), 1u);
}

TEST_F(TerminusFaults, NoMessageTellsTheKey) {
  const std::string key = "s3cret-Key/+", encoded = "YWRtaW46czNjcmV0";
  ThreadRuntime runtime;
  std::string said;
  std::mutex mutex;
  Log log(
      {.level = LogLevel::kDebug}, [] { return WallTime{}; },
      [&](std::string_view line) {
        std::lock_guard lock(mutex);
        said += line;
      });
  auto note = [&](const Status& status) {
    ASSERT_FALSE(status.ok());
    said += status.error().ToString() + "\n";
  };
  auto open = [&](TerminusGraphOptions options) {
    auto graph = TerminusGraph::Open(std::move(options), runtime, log);
    note(graph.ok() ? Ok() : Status(graph.error()));
    return graph.ok() ? Code::kInternal : graph.code();
  };
  TerminusGraphOptions options = home_->options();
  options.key = key;
  EXPECT_EQ(open(options), Code::kInvalid);
  EXPECT_THAT(said, HasSubstr("TERMINUS_USER and TERMINUS_KEY"));
  options.url = "http://admin:" + key + "@127.0.0.1:1";
  EXPECT_EQ(open(options), Code::kInvalid);
  options.url = "ftp://" + key;
  EXPECT_EQ(open(options), Code::kInvalid);
  options.url = "http://127.0.0.1:1";
  EXPECT_EQ(open(options), Code::kUnavailable);
  options.user = "";
  EXPECT_EQ(open(options), Code::kInvalid);
  EXPECT_THAT(said, Not(HasSubstr("s3cret")));
  EXPECT_THAT(said, Not(HasSubstr(encoded)));
}

TEST_F(TerminusFaults, OptimizesBetweenCommitsAndFailsNothingByIt) {
  home_->options().optimize_every = 3;
  auto graph = home_->OpenGraph();
  const int before = control_->Seen("POST /api/optimize");
  control_->Fault(R"({"path":"/api/optimize","action":"status","status":500})");
  for (std::uint64_t slot = 2; slot <= 8; ++slot) {
    ASSERT_TRUE(graph->Commit(CommitOf(1, slot, {NodeOf("o1", slot)})).ok());
  }
  EXPECT_EQ(control_->Seen("POST /api/optimize") - before, 1 + 3);
}

TEST_F(TerminusFaults, ACommitOfHundredsIsFewRequests) {
  std::vector<GraphNode> nodes;
  for (int i = 0; i < 200; ++i) nodes.push_back(NodeOf("n" + std::to_string(i), 1, {"p1"}));
  auto requests = [&](const GraphCommit& commit) {
    const int reads = control_->Seen("POST /api/document");
    const int writes = control_->Seen("POST /api/woql");
    EXPECT_TRUE(graph_->Commit(commit).ok());
    return std::pair(control_->Seen("POST /api/document") - reads,
                     control_->Seen("POST /api/woql") - writes);
  };
  EXPECT_EQ(requests(CommitOf(1, 2, nodes)), std::pair(1, 1));
  for (GraphNode& node : nodes) node.version = SequenceNumber(2);
  // What it wrote itself it knows.
  EXPECT_EQ(requests(CommitOf(1, 3, nodes)), std::pair(0, 1));
  // Should an answer to so many be too large, it asks for fewer.
  graph_ = home_->OpenGraph();
  for (GraphNode& node : nodes) node.version = SequenceNumber(3);
  control_->Fault(R"({"method":"POST","path":"/api/document","action":"drop","times":2})");
  EXPECT_EQ(requests(CommitOf(1, 4, nodes)), std::pair(2 + 4, 1));
  EXPECT_EQ(VersionOf("n199"), 3u);
}

// The server has two workers, and an idle connection would hold one of them for two seconds.
TEST_F(TerminusFaults, NoConnectionIsKept) {
  const int before = control_->Seen("kept connections");
  std::vector<std::thread> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      auto graph = home_->OpenGraph();
      for (int k = 0; k < 3; ++k) EXPECT_TRUE(graph->State().ok());
    });
  }
  for (auto& reader : readers) reader.join();
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o1", 2)})).ok());
  EXPECT_EQ(control_->Seen("kept connections"), before);
}

TEST_F(TerminusFaults, AnotherProcessNoticesANewLiveGeneration) {
  auto reader = home_->OpenGraph();
  EXPECT_EQ(reader->State()->generation, "1");
  auto next = graph_->NewGeneration();
  ASSERT_TRUE((*next)->Commit(CommitOf(1, 1, {NodeOf("o1", 7)})).ok());
  ASSERT_TRUE(graph_->Activate(**next).ok());
  auto found = reader->Get({NodeOf("o1", 1).key});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  EXPECT_EQ(found->begin()->second.version, SequenceNumber(7));
  EXPECT_EQ(reader->State()->generation, "2");
}

TEST_F(TerminusFaults, ASwitchWhoseAnswerIsLostIsDoneByTheNextTry) {
  auto next = graph_->NewGeneration();
  FailWrites(R"("action":"lose_answer")");
  EXPECT_TRUE(graph_->Activate(**next).Is(Code::kUnknownOutcome));
  EXPECT_TRUE(graph_->Activate(**next).ok());
  EXPECT_EQ(graph_->State()->generation, "2");
}

TEST_F(TerminusFaults, ADeletedNodeKeepsTheReferencesOfOthers) {
  GraphNode place = NodeOf("", 1);
  place.key = AggregateKey::Instance("db", "main", "Place", "p1");
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 2, {NodeOf("o1", 2, {"p1"}), place})).ok());
  GraphNode tombstone = place;
  tombstone.version = SequenceNumber(2);
  tombstone.lifecycle = Lifecycle::kAbsent;
  tombstone.document.clear();
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 3, {tombstone})).ok());
  const HttpResponse order =
      AskHttp("GET",
              home_->options().url + "/api/document/admin/" + home_->options().database +
                  "_g1?id=Node/3.db_3Amain_3AOrder_3Ao1&as_list=true",
              {}, {{"Authorization", "Basic YWRtaW46cm9vdA=="}});
  EXPECT_THAT(order.body, HasSubstr(R"("links":["Node/3.db_3Amain_3APlace_3Ap1" ])"));
}

// More nodes in a level than are asked for one by one.
TEST_F(TerminusFaults, ManyAreFollowedBackwardsWithOneRequestAClass) {
  std::vector<GraphNode> nodes;
  for (int i = 0; i < 60; ++i) {
    const std::string id = std::to_string(100 + i);
    nodes.push_back(NodeOf(id, 2, {id}));
    nodes.push_back(NodeOf(id, 1));
    nodes.back().key = AggregateKey::Instance("db", "main", "Place", id);
  }
  ASSERT_TRUE(graph_->Commit(CommitOf(1, 2, nodes)).ok());
  GraphQuery query;
  query.scope = {"db", "main", SequenceNumber(1), {}};
  query.scope.classes = {{"Order", SequenceNumber(1)}, {"Place", SequenceNumber(1)}};
  query.start_class = "Place";
  query.hops = {{"~at", "Order"}};
  const int before = control_->Seen("POST /api/woql");
  auto result = graph_->Query(query);
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  EXPECT_EQ(result->count, 60u);
  EXPECT_EQ(result->edges.size(), 60u);
  EXPECT_EQ(control_->Seen("POST /api/woql") - before, 2);
}

TEST_F(TerminusFaults, AQueryIsOfOneCommit) {
  auto commit = [&](std::uint64_t version) {
    GraphNode place = NodeOf("", version);
    place.key = AggregateKey::Instance("db", "main", "Place", "p1");
    return graph_->Commit(CommitOf(1, version, {NodeOf("o1", version, {"p1"}), place})).ok();
  };
  ASSERT_TRUE(commit(2));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t version = 3; !stop; ++version) EXPECT_TRUE(commit(version));
  });
  auto reader = home_->OpenGraph();
  GraphQuery query;
  query.scope = {"db", "main", SequenceNumber(1), {}};
  query.scope.classes = {{"Order", SequenceNumber(1)}, {"Place", SequenceNumber(1)}};
  for (int i = 0; i < 40; ++i) {
    query.start_class = i % 2 == 0 ? "Order" : "Place";
    query.hops = {{i % 2 == 0 ? "at" : "~at", ""}};
    auto result = reader->Query(query);
    if (!result.ok()) {  // the writer was faster every time
      EXPECT_TRUE(result.Is(Code::kUnavailable)) << result.error().ToString();
      continue;
    }
    ASSERT_EQ(result->nodes.size(), 2u);
    EXPECT_EQ(result->nodes[0].version, result->nodes[1].version);
  }
  stop = true;
  writer.join();
}

TEST(TerminusRestart, AKilledServerLosesAndDoublesNothingUnderLoad) {
  auto server = RealServer::Start("terminusdb");
  if (!server.ok() && !ServersAreRequired()) GTEST_SKIP() << server.error().ToString();
  ASSERT_TRUE(server.ok());
  TerminusHome home(OptionsOfDouble((*server)->address()));
  auto graph = home.OpenGraph();
  ASSERT_TRUE(graph->TakeOver(1).ok());
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0}, outages{0};
  std::thread writer([&] {
    for (std::uint64_t slot = 1; !stop;) {
      Status done = graph->Commit(
          CommitOf(1, slot, {NodeOf("a", slot, {"x"}), NodeOf("b", slot), NodeOf("c", slot)}));
      if (done.ok()) {
        acknowledged = slot++;
        continue;
      }
      EXPECT_TRUE(done.Is(Code::kUnavailable) || done.Is(Code::kUnknownOutcome))
          << done.error().ToString();
      ++outages;
    }
  });
  std::thread reader([&] {
    while (!stop) {
      auto found = graph->Get({NodeOf("a", 1).key, NodeOf("b", 1).key});
      if (!found.ok() || found->empty()) continue;
      if (found->size() != 2 || found->begin()->second.version != found->rbegin()->second.version) {
        ++torn;
      }
    }
  });
  for (int round = 1; round <= 4; ++round) {
    const std::uint64_t before = acknowledged;
    for (int i = 0; i < 20'000 && acknowledged < before + 20; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_GE(acknowledged, before + 20);
    (*server)->Kill();
    ASSERT_TRUE((*server)->Up().ok());
  }
  stop = true;
  writer.join();
  reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GT(outages, 0);
  // The last one may have been applied without an answer.
  const std::uint64_t position = graph->State()->position.slot.value;
  EXPECT_GE(position, acknowledged);
  EXPECT_LE(position, acknowledged + 1);
  auto found = graph->Get({NodeOf("a", 1).key, NodeOf("b", 1).key, NodeOf("c", 1).key});
  ASSERT_EQ(found->size(), 3u);
  for (const auto& [key, node] : *found) EXPECT_EQ(node.version.value, position);
}

}  // namespace
}  // namespace saffron
