// The contract on the double, and on the real server that TERMINUS_SERVER_URL names.
#include <filesystem>

#include "adapters/sqlite/sqlite_graph.h"
#include "adapters/terminusdb/terminus_test_home.h"

namespace saffron {
namespace {

std::shared_ptr<GraphStoreHome> HomeOnDouble() {
  RealServer* server = SharedServer("terminusdb");
  SAFFRON_ASSERT(server != nullptr);  // it needs nothing but python3
  return std::make_shared<TerminusHome>(OptionsOfDouble(server->address()));
}

std::vector<GraphStoreHomeMaker> RealHomes() {
  if (OptionsOfRealServer().url.empty()) return {};
  return {[] { return std::make_shared<TerminusHome>(OptionsOfRealServer()); }};
}

INSTANTIATE_GRAPH_STORE_CONTRACT(TerminusDouble, HomeOnDouble);
INSTANTIATE_TEST_SUITE_P(TerminusReal, GraphStoreContract, ::testing::ValuesIn(RealHomes()));

void ExpectAnswersLikeSqlite(const TerminusGraphOptions& options, std::uint64_t seed) {
  std::string path = ::testing::TempDir() + "saffron-terminus-XXXXXX";
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  {
    auto model = SqliteGraph::Open({.directory = path});
    ASSERT_TRUE(model.ok());
    TerminusHome home(options);
    ExpectSameAnswers(**model, *home.OpenGraph(), seed);
  }
  std::filesystem::remove_all(path);
}

TEST(TerminusGraphTest, AnswersLikeSqliteOnRandomGraphs) {
  RealServer* server = nullptr;
  SAFFRON_NEED_SERVER(server, "terminusdb");
  for (std::uint64_t seed = 1; seed <= 8 && !::testing::Test::HasFailure(); ++seed) {
    ExpectAnswersLikeSqlite(OptionsOfDouble(server->address()), seed);
  }
}

TEST(TerminusGraphTest, TheRealServerAnswersLikeSqlite) {
  if (OptionsOfRealServer().url.empty()) GTEST_SKIP() << "TERMINUS_SERVER_URL is not set";
  ExpectAnswersLikeSqlite(OptionsOfRealServer(), 1);
}

TEST(TerminusGraphTest, NothingWasAskedThatNobodyHasRecorded) {
  RealServer* server = nullptr;
  SAFFRON_NEED_SERVER(server, "terminusdb");
  EXPECT_EQ(TerminusControl(server->address()).Untaught(), "[]");
}

}  // namespace
}  // namespace saffron
