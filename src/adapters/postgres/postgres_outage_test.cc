// The server killed, restarted, restored from an old backup; answers lost on the way.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "adapters/postgres/postgres_test_home.h"
#include "testing/servers/loopback_proxy.h"

namespace saffron {
namespace {

using registry_rows::Aggregate;
using registry_rows::Put;
using ::testing::HasSubstr;
using ::testing::Not;

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

RegistryRead ReadOrder() {
  RegistryRead read;
  read.aggregates = {kOrder};
  return read;
}

std::uint64_t NumberIn(const RegistryRows& rows) {
  auto found = rows.aggregates.find(kOrder);
  return found == rows.aggregates.end() ? 0 : found->second.accepted.number.value;
}

Status CountOn(PostgresRegistry& registry) {
  return registry.Transact(ReadOrder(), [&](const RegistryRows& rows) {
    RegistryWrite write;
    write.put_aggregates = {Aggregate(kOrder, NumberIn(rows) + 1)};
    return write;
  });
}

std::uint64_t MustRead(PostgresRegistry& registry) {
  const auto rows = registry.Read(ReadOrder());
  if (!rows.ok()) ADD_FAILURE() << rows.error().ToString();
  return rows.ok() ? NumberIn(*rows) : 0;
}

class PostgresOutageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = PostgresTestHome::Make();
    if (home_ == nullptr) SAFFRON_NO_SERVER("postgres");
  }
  std::shared_ptr<PostgresTestHome> home_;
};

// What was answered is there, what was not is there or not, whole, and the rest goes on by itself.
TEST_F(PostgresOutageTest, AKilledServerLosesNothingThatWasAnswered) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  std::atomic<std::uint64_t> done{0}, unknown{0}, unavailable{0}, other{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const Status status = CountOn(*registry);
        if (status.ok())
          ++done;
        else if (status.Is(Code::kUnknownOutcome))
          ++unknown;
        else if (status.Is(Code::kUnavailable))
          ++unavailable;
        else
          ++other;
      }
    });
  }
  const auto wait_for = [&](std::uint64_t more) {
    const std::uint64_t until = done + more;
    for (int i = 0; i < 3000 && done < until; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_GE(done, until);
  };
  for (int round = 0; round < 3; ++round) {
    wait_for(50);
    home_->server().Kill();
    ASSERT_TRUE(home_->server().Up().ok());
  }
  wait_for(50);
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(other, 0u);
  EXPECT_GT(unavailable + unknown, 0u);
  const std::uint64_t counted = MustRead(*registry);
  EXPECT_GE(counted, done);
  EXPECT_LE(counted, done + unknown);
}

TEST_F(PostgresOutageTest, ARestartIsNotNoticedByTheNextCallButForTheIncarnation) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  ASSERT_TRUE(CountOn(*registry).ok());
  const auto before = registry->Read(RegistryRead());
  ASSERT_TRUE(before.ok());
  home_->ChangeIncarnation();
  EXPECT_TRUE(CountOn(*registry).ok());
  const auto after = registry->Read(RegistryRead());
  ASSERT_TRUE(after.ok());
  EXPECT_NE(after->live_incarnation, before->live_incarnation);
  EXPECT_EQ(MustRead(*registry), 2u);
}

class PostgresLostAnswerTest : public PostgresOutageTest {
 protected:
  void SetUp() override {
    PostgresOutageTest::SetUp();
    if (home_ == nullptr) return;
    const std::string& url = home_->url();
    const std::size_t host = url.rfind('@') + 1, path = url.rfind('/');
    auto started =
        LoopbackProxy::Start(url.substr(host, path - host), LoopbackProxy::Protocol::kBytes);
    ASSERT_TRUE(started.ok()) << started.error().ToString();
    proxy_ = std::move(*started);
    PostgresRegistry::Options options = home_->OptionsOf();
    options.url = url.substr(0, host) + proxy_->address() + url.substr(path);
    options.statement_timeout = std::chrono::milliseconds(1000);
    options.lock_timeout = std::chrono::milliseconds(500);
    log_ = std::make_unique<Log>(
        Log::Options{LogLevel::kDebug, LogFormat::kText}, [] { return WallTime{}; },
        [this](std::string_view line) { logged_ += line; });
    auto opened = PostgresRegistry::Open(options, runtime_, *log_);
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    registry_ = std::move(*opened);
    ASSERT_TRUE(CountOn(*registry_).ok());
  }
  // Runs it with something done between the two round trips.
  template <class Between>
  Status CountAnd(Between between) {
    return registry_->Transact(ReadOrder(), [&](const RegistryRows& rows) {
      ++calls_;
      RegistryWrite write;
      write.put_aggregates = {Aggregate(kOrder, NumberIn(rows) + 1)};
      between();
      return write;
    });
  }

  std::unique_ptr<LoopbackProxy> proxy_;
  std::string logged_;
  ThreadRuntime runtime_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<PostgresRegistry> registry_;
  int calls_ = 0;
};

TEST_F(PostgresLostAnswerTest, ALostAnswerToTheCommitIsAnUnknownOutcome) {
  const Status status = CountAnd([&] { proxy_->CutAnswers(1); });
  EXPECT_TRUE(status.Is(Code::kUnknownOutcome)) << (status.ok() ? "" : status.error().ToString());
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(MustRead(*registry_), 2u);  // it was applied
  EXPECT_THAT(logged_, HasSubstr("registry_connection_lost"));
  EXPECT_THAT(logged_, Not(HasSubstr("saffron:saffron")));
}

TEST_F(PostgresLostAnswerTest, ALostAnswerBeforeTheCommitIsReadAgain) {
  proxy_->CutAnswers(1);
  EXPECT_TRUE(CountAnd([] {}).ok());
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(MustRead(*registry_), 2u);
  EXPECT_GE(registry_->Describe().reconnects, 1u);
}

TEST_F(PostgresLostAnswerTest, AServerThatIsGoneIsUnavailableAndComesBack) {
  proxy_->Refuse();
  for (int i = 0; i < 2; ++i) {
    const Status status = CountAnd([] {});
    EXPECT_TRUE(status.Is(Code::kUnavailable));
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_TRUE(registry_->Read(ReadOrder()).Is(Code::kUnavailable));
  EXPECT_TRUE(registry_->LockFence().Is(Code::kUnavailable));
  proxy_->Accept();
  EXPECT_TRUE(CountAnd([] {}).ok());
  EXPECT_EQ(MustRead(*registry_), 2u);
}

TEST_F(PostgresLostAnswerTest, ASilentNetworkEndsAtTheDeadline) {
  const Status status = CountAnd([&] { proxy_->Hold(); });
  EXPECT_TRUE(status.Is(Code::kUnknownOutcome));
  EXPECT_EQ(calls_, 1);
  proxy_->Release();
  proxy_->BreakConnections();
  EXPECT_TRUE(CountAnd([] {}).ok());
}

TEST_F(PostgresLostAnswerTest, AFenceLockIsDroppedWithItsSession) {
  auto lock = registry_->LockFence();
  ASSERT_TRUE(lock.ok());
  auto other = home_->OpenRegistry();
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->LockFence().Is(Code::kUnavailable));
  proxy_->BreakConnections();
  bool taken = false;
  for (int i = 0; i < 500 && !taken; ++i) {
    taken = other->LockFence().ok();
    if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(taken);
}

// An old base backup brings back old rows, and an incarnation that nobody has fenced for.
TEST(PostgresRestoreTest, AServerRestoredFromABaseBackupIsAnotherIncarnation) {
  auto started = RealServer::Start("postgres");
  if (!started.ok()) SAFFRON_NO_SERVER(started.error().ToString());
  RealServer& server = **started;
  PostgresRegistry::Options options;
  options.url = server.address();
  ThreadRuntime runtime;
  Log log = Log::Discard();
  auto opened = PostgresRegistry::Open(options, runtime, log);
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  const std::string data = server.folder() + "/pg", backup = server.folder() + "/backup";
  const auto fence = [&](std::uint64_t next_slot) {
    return (*opened)->Transact(RegistryRead(), [&](const RegistryRows& rows) {
      RegistryWrite write;
      write.control = RegistryControl{LogId(), rows.live_incarnation, SlotNumber(next_slot)};
      return write;
    });
  };
  ASSERT_TRUE(fence(5).ok());
  const std::string take = "/usr/lib/postgresql/15/bin/pg_basebackup -c fast -X stream -D '" +
                           backup + "' -d '" + server.address() + "'";
  ASSERT_EQ(std::system(take.c_str()), 0);
  ASSERT_TRUE(fence(50).ok());
  const auto is_fenced = [&] {
    const auto rows = (*opened)->Read(RegistryRead());
    EXPECT_TRUE(rows.ok());
    return rows.ok() && rows->control.fenced_incarnation == rows->live_incarnation;
  };
  EXPECT_TRUE(is_fenced());
  server.Down();
  std::filesystem::rename(data, data + ".lost");
  // As from an archive: the server ends its recovery on a timeline of its own.
  std::ofstream(backup + "/recovery.signal");
  std::ofstream(backup + "/postgresql.auto.conf") << "restore_command = '/bin/false'\n";
  const std::string give = "mv '" + backup + "' '" + data + "' && chown -R --reference='" + data +
                           ".lost' '" + data + "' && chmod 700 '" + data + "'";
  ASSERT_EQ(std::system(give.c_str()), 0);
  ASSERT_TRUE(server.Up().ok());
  // It lets readers in before its recovery has ended.
  auto restored = (*opened)->Read(RegistryRead());
  for (int i = 0; i < 600 && restored.Is(Code::kUnavailable); ++i) {
    runtime.SleepFor(milliseconds(100));
    restored = (*opened)->Read(RegistryRead());
  }
  EXPECT_FALSE(is_fenced());
  ASSERT_TRUE(restored.ok()) << restored.error().ToString();
  EXPECT_EQ(restored->control.next_slot, SlotNumber(5));
  EXPECT_THAT(restored->control.fenced_incarnation, HasSubstr("/00000001/"));
  EXPECT_THAT(restored->live_incarnation, HasSubstr("/00000002/"));
}

}  // namespace
}  // namespace saffron
