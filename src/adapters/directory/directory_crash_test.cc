// What other processes, kills, full disks and missing permissions do to a directory store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "adapters/directory/directory_store.h"
#include "adapters/directory/directory_test_home.h"
#include "base/random.h"

namespace saffron {
namespace {

constexpr int kSkipped = 77;

Result<std::unique_ptr<DirectoryStore>> OpenAt(const std::string& path) {
  DirectoryStoreOptions options;
  options.path = path;
  return DirectoryStore::Open(options);
}

pid_t Fork(const std::function<int()>& body) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  return child;
}

// The exit code, or minus the signal.
int Await(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(DirectoryOwnerTest, ASecondOpenIsRefusedAndNamesTheOwner) {
  TestDirectory directory;
  auto store = OpenAt(directory.path());
  ASSERT_TRUE(store.ok());
  const std::string owner = std::to_string(::getpid());
  pid_t child = Fork([&] {
    auto second = OpenAt(directory.path());
    return second.Is(Code::kUnavailable) &&
                   second.error().message().find("process " + owner) != std::string::npos
               ? 0
               : 1;
  });
  EXPECT_EQ(Await(child), 0);
  EXPECT_TRUE(OpenAt(directory.path()).Is(Code::kUnavailable));  // the same process, too
  store->reset();
  EXPECT_TRUE(OpenAt(directory.path()).ok());
}

TEST(DirectoryOwnerTest, MissingPermissionIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  TestDirectory directory;
  ASSERT_TRUE(OpenAt(directory.path()).ok());
  pid_t child = Fork([&] {
    if (::setuid(65534) != 0) return 2;
    auto store = OpenAt(directory.path());
    if (!store.Is(Code::kUnavailable)) return 3;
    const std::string& message = store.error().message();
    return message.find(directory.path()) != std::string::npos &&
                   message.find("Permission denied") != std::string::npos
               ? 0
               : 4;
  });
  EXPECT_EQ(Await(child), 0);
}

// In a mount namespace of its own, so that nothing is left mounted.
int FillUpATinyFileSystem(const std::string& path) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
      ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m") != 0) {
    return kSkipped;
  }
  auto store = OpenAt(path);
  if (!store.ok()) return 1;
  const std::string bytes(100'000, 'x');
  std::size_t written = 0;
  for (;; ++written) {
    auto put = (*store)->PutIfAbsent("k/" + std::to_string(written), bytes);
    if (put.ok()) continue;
    const std::string message = put.error().message();
    if (!put.Is(Code::kUnavailable) || message.find("no space left") == std::string::npos ||
        message.find(path) == std::string::npos) {
      return 2;
    }
    break;
  }
  if (written == 0 || (*store)->List("", "", 100)->size() != written) return 3;
  auto etag = (*store)->Get("k/0")->etag;
  if (!(*store)->PutIfMatch("k/0", std::string(300'000, 'y'), etag).Is(Code::kUnavailable))
    return 4;
  if ((*store)->Get("k/0")->bytes != bytes) return 5;
  // What failed has given its space back: one object less makes room for one.
  if (!(*store)->Delete("k/0").ok()) return 6;
  return (*store)->PutIfAbsent("k/again", bytes).ok() ? 0 : 7;
}

TEST(DirectorySpaceTest, AFullDiskRefusesAndLeavesNothingBehind) {
  TestDirectory directory;
  int exit = Await(Fork([&] { return FillUpATinyFileSystem(directory.path()); }));
  if (exit == kSkipped) GTEST_SKIP() << "cannot mount a tmpfs here";
  EXPECT_EQ(exit, 0);
}

// An object says its number and size, so that a torn one shows.
std::string Body(std::uint64_t number) {
  std::string body = std::to_string(number) + ":";
  body.append(number * 7919 % 60'000, static_cast<char>('a' + number % 26));
  return body;
}

std::string KeyOf(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "events/000/" + std::string(20 - digits.size(), '0') + digits + ".jsonl";
}

void WriteUntilKilled(const std::string& path, bool unnamed, int acknowledged) {
  DirectoryStoreOptions options;
  options.path = path;
  options.unnamed_temporaries = unnamed;
  auto store = DirectoryStore::Open(options);
  if (!store.ok()) ::_exit(1);
  for (std::uint64_t number = 9'990;; ++number) {
    if (!(*store)->PutIfAbsent(KeyOf(number), Body(number)).ok()) ::_exit(2);
    if (::write(acknowledged, "x", 1) != 1) ::_exit(3);
    if (!(*store)->Put("derived", Body(number)).ok()) ::_exit(4);
  }
}

TEST(DirectoryKillTest, AKilledWriterLeavesWholeObjectsAndAllItAcknowledged) {
  RandomBits random(2026);
  for (int round = 0; round < 12; ++round) {
    TestDirectory directory;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = Fork([&] {
      WriteUntilKilled(directory.path(), round % 2 == 0, ends[1]);
      return 0;
    });
    ::close(ends[1]);
    std::uint64_t acknowledged = 0;
    const std::uint64_t enough = 1 + random.Below(40);
    char x;
    while (acknowledged < enough && ::read(ends[0], &x, 1) == 1) ++acknowledged;
    // Somewhere within the next put, of which one takes some hundred microseconds.
    for (std::uint32_t spin = random.Below(2'000'000); spin > 0; --spin) asm volatile("");
    ::kill(child, SIGKILL);
    EXPECT_EQ(Await(child), -SIGKILL);
    while (::read(ends[0], &x, 1) == 1) ++acknowledged;
    ::close(ends[0]);

    auto store = OpenAt(directory.path());
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    auto keys = (*store)->List("events/", "", 100'000);
    ASSERT_TRUE(keys.ok());
    EXPECT_GE(keys->size(), acknowledged);
    EXPECT_LE(keys->size(), acknowledged + 1);
    for (std::uint64_t i = 0; i < keys->size(); ++i) {
      EXPECT_EQ((*keys)[i], KeyOf(9'990 + i));
      EXPECT_EQ((*store)->Get((*keys)[i])->bytes, Body(9'990 + i));
    }
    if (auto derived = (*store)->Get("derived"); derived.ok()) {
      EXPECT_EQ(derived->bytes, Body(std::stoull(derived->bytes)));
    }
    EXPECT_TRUE(std::filesystem::is_empty(directory.path() + "/~tmp"));
  }
}

}  // namespace
}  // namespace saffron
