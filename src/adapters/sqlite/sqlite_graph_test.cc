#include "adapters/sqlite/sqlite_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "adapters/memory/memory_graph.h"
#include "testing/contract/graph_store_contract.h"

namespace saffron {
namespace {

class SqliteGraphHome final : public GraphStoreHome {
 public:
  SqliteGraphHome() {
    path_ = ::testing::TempDir() + "saffron-graph-XXXXXX";
    SAFFRON_ASSERT(::mkdtemp(path_.data()) != nullptr);
  }
  ~SqliteGraphHome() override { std::filesystem::remove_all(path_); }

  std::shared_ptr<GraphStore> Open() override {
    auto graph = SqliteGraph::Open({.directory = path_});
    SAFFRON_ASSERT(graph.ok());
    return std::move(*graph);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

INSTANTIATE_GRAPH_STORE_CONTRACT(Sqlite, [] { return std::make_shared<SqliteGraphHome>(); });

TEST(SqliteGraphTest, AnswersLikeTheModel) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    MemoryGraph model;
    SqliteGraphHome home;
    auto store = home.Open();
    ExpectSameAnswers(model, *store, seed);
    if (HasFailure()) return;
  }
}

TEST(SqliteGraphTest, OldGenerationsLeaveNoFiles) {
  SqliteGraphHome home;
  auto store = home.Open();
  auto dropped = store->NewGeneration();
  auto next = store->NewGeneration();
  ASSERT_TRUE(store->Activate(**next).ok());
  dropped->reset();
  next->reset();
  store.reset();
  EXPECT_THAT(home.Files(), ::testing::UnorderedElementsAre("graph.current", "graph-3.db"));
  std::ofstream(home.path() + "/graph-9.db") << "left by a crash before the switch";
  store = home.Open();
  EXPECT_EQ(store->State()->generation, "3");
  store.reset();
  EXPECT_THAT(home.Files(), ::testing::UnorderedElementsAre("graph.current", "graph-3.db"));
}

TEST(SqliteGraphTest, ADamagedPointerIsNotGuessedAt) {
  SqliteGraphHome home;
  home.Open();
  std::ofstream(home.path() + "/graph.current") << "nonsense";
  EXPECT_TRUE(SqliteGraph::Open({.directory = home.path()}).Is(Code::kCorrupt));
}

TEST(SqliteGraphTest, AnIdThatIsNoneRefusesTheWholeCommit) {
  SqliteGraphHome home;
  auto store = home.Open();
  GraphNode good;
  good.key = AggregateKey::Database("db");
  good.version = SequenceNumber(1);
  GraphNode bad = good;
  bad.key = {AggregateType::kInstance, "no-parts"};
  EXPECT_TRUE(store->Commit({0, {SlotNumber(1)}, {good, bad}}).Is(Code::kInvalid));
  EXPECT_TRUE(store->Get({good.key})->empty());
  EXPECT_EQ(store->State()->position.slot, SlotNumber(0));
}

}  // namespace
}  // namespace saffron
