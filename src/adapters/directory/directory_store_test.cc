#include "adapters/directory/directory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "adapters/directory/directory_test_home.h"
#include "testing/contract/object_store_contract.h"

namespace saffron {
namespace {

class DirectoryHome final : public ObjectStoreHome {
 public:
  explicit DirectoryHome(void (*adjust)(DirectoryStoreOptions&)) {
    options_.path = directory_.path() + "/objects";
    adjust(options_);
  }
  std::shared_ptr<ObjectStore> Open() override {
    auto store = DirectoryStore::Open(options_);
    SAFFRON_ASSERT(store.ok());
    return std::move(*store);
  }

 private:
  TestDirectory directory_;
  DirectoryStoreOptions options_;
};

INSTANTIATE_OBJECT_STORE_CONTRACT(Directory, [] {
  return std::make_shared<DirectoryHome>([](DirectoryStoreOptions&) {});
});
INSTANTIATE_OBJECT_STORE_CONTRACT(DirectoryWithNamedTemporaries, [] {
  return std::make_shared<DirectoryHome>(
      [](DirectoryStoreOptions& options) { options.unnamed_temporaries = false; });
});
INSTANTIATE_OBJECT_STORE_CONTRACT(DirectoryUnsynced, [] {
  return std::make_shared<DirectoryHome>(
      [](DirectoryStoreOptions& options) { options.durability = DurabilityMode::kNone; });
});

// Records the syncs by path below the root, and can hold or fail them.
class Syncs {
 public:
  explicit Syncs(std::string root) : root_(std::move(root)) {}

  SyncCalls Calls() {
    return {[this](int fd) { return Sync("data ", fd); }, [this](int fd) { return Sync("", fd); },
            [](int) { return 0; }};
  }
  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(done_, {});
  }
  std::size_t DoneCount() {
    std::lock_guard lock(mutex_);
    return done_.size();
  }
  void Fail(std::string what, int error) { failing_ = std::move(what), error_ = error; }
  // Every fsync of a directory waits until Release.
  void HoldDirectories() { held_ = true; }
  void AwaitHeld() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return holding_; });
  }
  void Release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

 private:
  int Sync(const std::string& kind, int fd) {
    std::error_code ignored;
    auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
    std::unique_lock lock(mutex_);
    if (kind.empty() && held_) {
      holding_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !held_; });
    }
    const std::string what = kind + (kind.empty() ? path.lexically_relative(root_).native() : "");
    if (what == failing_) {
      errno = error_;
      return -1;
    }
    done_.push_back(what);
    return 0;
  }

  const std::string root_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> done_;
  std::string failing_ = "nothing";
  int error_ = 0;
  bool held_ = false;
  bool holding_ = false;
};

class DirectoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = DirectoryStore::Open(Options());
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    store_ = std::move(*store);
  }
  DirectoryStoreOptions Options() {
    DirectoryStoreOptions options;
    options.path = directory_.path();
    options.sync_calls = syncs_.Calls();
    return options;
  }
  std::size_t FilesBelow(const std::string& folder) {
    std::size_t files = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_.path() + folder)) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  }

  TestDirectory directory_;
  Syncs syncs_{directory_.path()};
  std::unique_ptr<DirectoryStore> store_;
};

constexpr char kSlot[] = "events/000/00000000000000012345.jsonl";

TEST_F(DirectoryStoreTest, NewFoldersAreSyncedInTheirParentsBeforeTheObject) {
  ASSERT_TRUE(store_->PutIfAbsent(kSlot, "x").ok());
  EXPECT_THAT(syncs_.Take(), ::testing::ElementsAre(".", "events", "events/000", "data ",
                                                    "events/000/+0000000000000001"));
  EXPECT_TRUE(std::filesystem::exists(directory_.path() +
                                      "/events/000/+0000000000000001/00000000000000012345.jsonl"));
  ASSERT_TRUE(store_->PutIfAbsent("events/000/00000000000000012346.jsonl", "x").ok());
  EXPECT_THAT(syncs_.Take(), ::testing::ElementsAre("data ", "events/000/+0000000000000001"));
}

TEST_F(DirectoryStoreTest, WritesAreSyncedAndReadsOfWhatIsSyncedAreNot) {
  ASSERT_TRUE(store_->PutIfAbsent("a", "x").ok());
  syncs_.Take();
  ASSERT_TRUE(store_->Get("a").ok());
  ASSERT_TRUE(store_->List("", "", 10).ok());
  EXPECT_TRUE(store_->PutIfAbsent("a", "y").Is(Code::kConflict));
  EXPECT_THAT(syncs_.Take(), ::testing::ElementsAre("data "));  // of the put that lost
  ASSERT_TRUE(store_->Put("b", "y").ok());
  EXPECT_THAT(syncs_.Take(), ::testing::ElementsAre("data ", "."));
  auto etag = store_->Get("b")->etag;
  ASSERT_TRUE(store_->PutIfMatch("b", "z", etag).ok());
  EXPECT_THAT(syncs_.Take(), ::testing::ElementsAre("data ", "."));
}

// Power could still take the link back, so nobody may act on it: a reader, a listing and a put that
// finds the object there all wait for a sync.
TEST_F(DirectoryStoreTest, A14A15_WhoeverMeetsAnUnsyncedLinkWaitsForASync) {
  syncs_.HoldDirectories();
  auto writer = std::async(std::launch::async, [&] { return store_->PutIfAbsent("a", "x").ok(); });
  syncs_.AwaitHeld();  // linked and visible, its sync under way
  std::vector<std::future<bool>> met;
  met.push_back(std::async(std::launch::async, [&] { return store_->Get("a").ok(); }));
  met.push_back(std::async(std::launch::async, [&] { return store_->GetRange("a", 0, 1).ok(); }));
  met.push_back(std::async(std::launch::async, [&] { return store_->List("", "", 9).ok(); }));
  met.push_back(std::async(std::launch::async,
                           [&] { return store_->PutIfAbsent("a", "y").Is(Code::kConflict); }));
  for (auto& answer : met) {
    EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  }
  syncs_.Release();
  EXPECT_TRUE(writer.get());
  for (auto& answer : met) EXPECT_TRUE(answer.get());
}

TEST_F(DirectoryStoreTest, NoSpaceAtTheDataSyncLeavesNothing) {
  ASSERT_TRUE(store_->PutIfAbsent("a", "x").ok());
  for (int error : {ENOSPC, EDQUOT}) {
    syncs_.Fail("data ", error);
    auto put = store_->PutIfAbsent("b", "y");
    ASSERT_TRUE(put.Is(Code::kUnavailable));
    EXPECT_THAT(put.error().message(), ::testing::HasSubstr("no space left"));
    EXPECT_THAT(put.error().message(), ::testing::HasSubstr(directory_.path()));
    EXPECT_TRUE(store_->PutIfMatch("a", "y", store_->Get("a")->etag).Is(Code::kUnavailable));
  }
  EXPECT_TRUE(store_->Get("b").Is(Code::kNotFound));
  EXPECT_EQ(store_->Get("a")->bytes, "x");
  EXPECT_EQ(FilesBelow("/~tmp"), 0u);
}

using DirectoryStoreDeathTest = DirectoryStoreTest;

TEST_F(DirectoryStoreDeathTest, A15_AFailedSyncEndsTheProcess) {
  ASSERT_TRUE(store_->PutIfAbsent("d/a", "x").ok());
  syncs_.Fail("data ", EIO);
  EXPECT_DEATH(static_cast<void>(store_->PutIfAbsent("d/b", "y")),
               "sync of .*new object.* failed: Input/output error");
  syncs_.Fail("d", EIO);
  EXPECT_DEATH(static_cast<void>(store_->PutIfAbsent("d/b", "y")),
               "sync of .*/d failed: Input/output error");
  EXPECT_DEATH(static_cast<void>(store_->PutIfMatch("d/a", "y", store_->Get("d/a")->etag)),
               "sync of .*/d failed");
}

TEST_F(DirectoryStoreTest, WithoutDurabilityNothingIsSynced) {
  store_.reset();
  auto options = Options();
  options.durability = DurabilityMode::kNone;
  auto store = DirectoryStore::Open(options);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->PutIfAbsent(kSlot, "x").ok());
  EXPECT_EQ(syncs_.DoneCount(), 0u);
}

TEST_F(DirectoryStoreTest, LeftoverTemporariesAreRemoved) {
  store_.reset();
  std::ofstream(directory_.path() + "/~tmp/17") << "half an obj";
  auto store = DirectoryStore::Open(Options());
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(FilesBelow("/~tmp"), 0u);
  EXPECT_TRUE((*store)->List("", "", 10)->empty());
}

TEST_F(DirectoryStoreTest, AFolderThatWasRemovedIsMadeAgainButNoneOfSlots) {
  const std::string entry = "indexes/by-date/2026/11/24/1_000_00000000000000000001.json";
  ASSERT_TRUE(store_->Put(entry, "old").ok());
  std::filesystem::remove_all(directory_.path() + "/indexes");
  ASSERT_TRUE(store_->Put(entry, "new").ok());
  EXPECT_EQ(store_->Get(entry)->bytes, "new");
  std::filesystem::remove_all(directory_.path() + "/indexes");
  EXPECT_TRUE(store_->PutIfAbsent(entry, "again").ok());
  ASSERT_TRUE(store_->PutIfAbsent(kSlot, "x").ok());
  std::filesystem::remove_all(directory_.path() + "/events/000/+0000000000000001");
  EXPECT_FALSE(store_->PutIfAbsent(kSlot, "x").ok());
}

TEST_F(DirectoryStoreTest, AFolderIsNoObject) {
  ASSERT_TRUE(store_->PutIfAbsent("a/b", "x").ok());
  EXPECT_TRUE(store_->Get("a").Is(Code::kNotFound));
  EXPECT_TRUE(store_->PutIfMatch("a", "x", "e").Is(Code::kNotFound));
  EXPECT_TRUE(store_->Put("a", "x").Is(Code::kInvalid));
  EXPECT_TRUE(store_->PutIfAbsent("a/b/c", "x").Is(Code::kInvalid));
  EXPECT_EQ(FilesBelow("/~tmp"), 0u);
}

TEST_F(DirectoryStoreTest, MoreFoldersThanAreKeptOpen) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(store_->PutIfAbsent("d" + std::to_string(i) + "/a", "x").ok());
  }
  EXPECT_EQ(store_->List("", "", 1000)->size(), 300u);
  EXPECT_TRUE(store_->PutIfAbsent("d0/a", "y").Is(Code::kConflict));
}

}  // namespace
}  // namespace saffron
