// What of a directory's entries is on the disk: counts entries made but not yet synced. Writers do
// not share an fsync: measured, the file system's journal joins concurrent ones as well as we
// could.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "adapters/directory/file_descriptor.h"

namespace saffron {

// The system calls that make things durable, so that a test can fail, count or delay them.
struct SyncCalls {
  std::function<int(int)> fdatasync = ::fdatasync;
  std::function<int(int)> fsync = ::fsync;
  std::function<int(int)> syncfs = ::syncfs;
};

// After a failed sync the kernel may have dropped the pages and say "done" the next time: nothing
// that this process believes about its log can be trusted any more, so it ends.
[[noreturn]] void EndAfterFailedSync(const std::string& path, int error);

// One directory. Shared by the store's callers; any thread may call it. Nothing survives a crash:
// a store syncs everything when it is opened.
class SyncedDirectory {
 public:
  SyncedDirectory(FileDescriptor directory, std::string path, const SyncCalls* calls)
      : directory_(std::move(directory)), path_(std::move(path)), calls_(calls) {}

  int fd() const { return directory_.get(); }
  const std::string& path() const { return path_; }

  // An entry about to be linked or renamed into the directory, until it is synced or was not made.
  class Entry {
   public:
    explicit Entry(SyncedDirectory& directory) : directory_(directory) { directory_.Begin(); }
    ~Entry() { directory_.End(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    SyncedDirectory& directory_;
  };

  // Whatever entries are there when it is called. A failure ends the process.
  void Sync();
  // Makes durable whatever the caller has seen in the directory.
  void SyncWhatIsVisible();
  bool AllSynced();

 private:
  void Begin();
  void End();

  const FileDescriptor directory_;
  const std::string path_;
  const SyncCalls* const calls_;  // of the store
  std::mutex mutex_;
  std::uint64_t unsynced_entries_ = 0;
};

}  // namespace saffron
