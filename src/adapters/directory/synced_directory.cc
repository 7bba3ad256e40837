#include "adapters/directory/synced_directory.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace saffron {

void EndAfterFailedSync(const std::string& path, int error) {
  std::fprintf(stderr,
               "saffron: sync of %s failed: %s; what was written may be lost, the process ends\n",
               path.c_str(), std::strerror(error));
  std::abort();
}

void SyncedDirectory::Begin() {
  std::lock_guard lock(mutex_);
  ++unsynced_entries_;
}

void SyncedDirectory::End() {
  std::lock_guard lock(mutex_);
  --unsynced_entries_;
}

bool SyncedDirectory::AllSynced() {
  std::lock_guard lock(mutex_);
  return unsynced_entries_ == 0;
}

void SyncedDirectory::SyncWhatIsVisible() {
  // An entry is counted before it becomes visible and until it is synced.
  if (!AllSynced()) Sync();
}

void SyncedDirectory::Sync() {
  if (calls_->fsync(directory_.get()) != 0) EndAfterFailedSync(path_, errno);
}

}  // namespace saffron
