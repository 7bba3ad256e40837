// Opening a directory store: the lock, the temporaries of a process that died, what it left
// unsynced.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "adapters/directory/directory_errors.h"
#include "adapters/directory/directory_store.h"

namespace saffron {

namespace {

constexpr char kLockName[] = "~lock";
constexpr char kTemporariesName[] = "~tmp";

std::string ReadPid(int fd) {
  char text[32];
  ssize_t size = ::pread(fd, text, sizeof text, 0);
  std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) pid.pop_back();
  return pid.empty() ? "(unknown)" : pid;
}

}  // namespace

DirectoryStore::DirectoryStore(DirectoryStoreOptions options) : options_(std::move(options)) {
  if (options_.durability == DurabilityMode::kNone) {
    auto skip = [](int) { return 0; };
    options_.sync_calls = SyncCalls{skip, skip, skip};
  }
}

DirectoryStore::~DirectoryStore() = default;

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::Open(DirectoryStoreOptions options) {
  std::unique_ptr<DirectoryStore> store(new DirectoryStore(std::move(options)));
  const std::string& path = store->options_.path;
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return FileError("make the directory", path, failure.value());
  store->root_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!store->root_.ok()) return FileError("open the directory", path, errno);
  SAFFRON_TRY(store->TakeLock());
  SAFFRON_TRY(store->PrepareTemporaries());
  store->ProbeUnnamedTemporaries();
  // A process that was killed may have left links that are visible and not yet on the disk. Which
  // directories they are in is not known, so the file system is synced as a whole, once.
  if (store->options_.sync_calls.syncfs(store->root_.get()) != 0) {
    return FileError("sync the file system of", path, errno);
  }
  return store;
}

Status DirectoryStore::TakeLock() {
  const std::string path = options_.path + "/" + kLockName;
  lock_ = FileDescriptor(::openat(root_.get(), kLockName, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_.ok()) return FileError("write", path, errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FileError("lock", path, errno);
    return Unavailable("directory " + options_.path + " is in use by process " +
                       ReadPid(lock_.get()) + "; one process owns a data directory");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 ||
      ::pwrite(lock_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return FileError("write", path, errno);
  }
  return Ok();
}

Status DirectoryStore::PrepareTemporaries() {
  const std::string path = options_.path + "/" + kTemporariesName;
  if (::mkdirat(root_.get(), kTemporariesName, 0755) != 0 && errno != EEXIST) {
    return FileError("make the directory", path, errno);
  }
  temporaries_ =
      FileDescriptor(::openat(root_.get(), kTemporariesName, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!temporaries_.ok()) return FileError("open the directory", path, errno);
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(path, failure)) {
    std::filesystem::remove(entry.path(), failure);
    if (failure) return FileError("remove", entry.path().native(), failure.value());
  }
  if (failure) return FileError("list", path, failure.value());
  return Ok();
}

void DirectoryStore::ProbeUnnamedTemporaries() {
  if (!options_.unnamed_temporaries) return;
  FileDescriptor file(::openat(temporaries_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644));
  const std::string self = "/proc/self/fd/" + std::to_string(file.get());
  options_.unnamed_temporaries = file.ok() && ::linkat(AT_FDCWD, self.c_str(), temporaries_.get(),
                                                       "probe", AT_SYMLINK_FOLLOW) == 0;
  ::unlinkat(temporaries_.get(), "probe", 0);
}

}  // namespace saffron
