// The embedded object store: a directory of a local file system.
//
// Layout below the root (no name of ours can be a key: '~' and '+' are not in the grammar):
//   ~lock                  held by the owning process, with its pid
//   ~tmp/                  temporary files; emptied when the store is opened
//   a/b/c.json             the object "a/b/c.json"
//   a/+{n / 10000}/{n}...  the object "a/{n}...": a last part that starts with a number of 20
//                          digits nests in a folder of 10,000, so that no directory grows too big
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/directory/file_descriptor.h"
#include "adapters/directory/synced_directory.h"
#include "base/result.h"
#include "ports/object_store.h"

namespace saffron {

enum class DurabilityMode {
  // Every object is on the disk before its put answers.
  kEveryBatch,
  // Nothing is synced. A crash of the process loses nothing; a power cut or a crash of the kernel
  // can lose any objects of the last seconds, acknowledged ones too, in any order, and leave
  // others empty. For trials and for data that can be loaded again.
  kNone,
};

struct DirectoryStoreOptions {
  std::string path;  // made when missing
  DurabilityMode durability = DurabilityMode::kEveryBatch;
  // Off: temporary files get names, as on a file system without O_TMPFILE.
  bool unnamed_temporaries = true;
  SyncCalls sync_calls;
};

// Put-if-absent: write an unnamed file, fdatasync, link (fails if present), fsync of the
// directory, then "created". An object becomes visible by link or rename, so it is whole or not
// there; one that is visible but not yet synced is synced by whoever reads or meets it first.
//
// Owned by the process's wiring; one process owns a directory. Any thread may call it. After a
// crash of the process everything visible is there, and Open syncs it; after a power cut
// everything acknowledged is, but for objects of Put, which may be missing, older or empty. A sync
// that fails ends the process. A failed call leaves nothing behind.
class DirectoryStore final : public ObjectStore {
 public:
  // kUnavailable: owned by another process (names its pid), or the directory cannot be written.
  static Result<std::unique_ptr<DirectoryStore>> Open(DirectoryStoreOptions options);
  // An object of a directory that this process does not own, or not yet: nothing is locked, changed
  // or synced, so only what never changes may be asked for. kNotFound when it is absent.
  static Result<std::string> Peek(const std::string& path, std::string_view key);
  ~DirectoryStore() override;

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override;
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override;
  Status Put(std::string_view key, std::string_view bytes) override;
  Result<StoredObject> Get(std::string_view key) override;
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override;
  Status Delete(std::string_view key) override;
  std::string Describe() const override { return "directory " + options_.path; }

 private:
  // Where an object lies: a directory relative to the root, and a name in it.
  struct Place {
    std::string directory;
    std::string name;
  };
  class Temporary;
  class Listing;

  explicit DirectoryStore(DirectoryStoreOptions options);
  static Place PlaceOf(std::string_view key);

  Status TakeLock();
  Status PrepareTemporaries();
  void ProbeUnnamedTemporaries();

  std::string PathOf(const Place& place) const;
  // An open file to read, everything that makes it visible synced.
  Result<FileDescriptor> OpenObject(std::string_view key) const;
  // The known state of a directory; null: nothing in it waits for a sync.
  std::shared_ptr<SyncedDirectory> FindDirectory(const std::string& path) const;
  // The same, the directory made and synced in its parent if it is new.
  Result<std::shared_ptr<SyncedDirectory>> MakeDirectory(const std::string& path);
  Result<std::shared_ptr<SyncedDirectory>> MakeChain(const std::string& path);
  void ForgetIdleDirectories();  // under directories_mutex_

  Result<std::unique_ptr<Temporary>> NewTemporary(int directory_fd, bool unnamed);
  // Writes the bytes and a modification time that no earlier write of this process has.
  Result<std::string> Fill(Temporary& file, std::string_view bytes);
  std::int64_t NextModificationTime();
  std::mutex& SwapLock(std::string_view key);

  DirectoryStoreOptions options_;
  FileDescriptor root_;
  FileDescriptor lock_;
  FileDescriptor temporaries_;
  std::atomic<std::uint64_t> temporaries_made_{0};
  std::atomic<std::int64_t> last_modification_ns_{0};

  std::mutex make_mutex_;  // held while a directory is made, so that nobody uses an unsynced one
  mutable std::mutex directories_mutex_;
  std::unordered_map<std::string, std::shared_ptr<SyncedDirectory>> directories_;
  // A swap compares and renames under the lock of its key.
  std::array<std::mutex, 64> swap_locks_;
};

}  // namespace saffron
