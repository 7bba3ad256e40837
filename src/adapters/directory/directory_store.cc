#include "adapters/directory/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "adapters/directory/directory_errors.h"
#include "base/step.h"
#include "ports/object_key.h"

namespace saffron {

namespace {

constexpr std::size_t kSlotDigits = 20;
constexpr std::string_view kSlotFolder = "/+";
constexpr std::size_t kFolderDigits = 16;  // without the last four: folders of 10,000
constexpr std::size_t kKeptDirectories = 128;

bool StartsWithSlotNumber(std::string_view name) {
  return name.size() >= kSlotDigits && std::all_of(name.begin(), name.begin() + kSlotDigits,
                                                   [](char c) { return c >= '0' && c <= '9'; });
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Ok();
}

// Fills `out` from the offset on; how many bytes were there.
Result<std::size_t> ReadAt(int fd, std::uint64_t offset_bytes, std::string& out,
                           std::string_view key) {
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t got =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset_bytes + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", key, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// Every write makes a new inode with a modification time of its own, which Fill sets.
std::string EtagOf(const struct stat& file) {
  char text[64];
  std::snprintf(text, sizeof text, "%llx-%llx", static_cast<unsigned long long>(file.st_ino),
                static_cast<unsigned long long>(file.st_mtim.tv_sec) * 1'000'000'000ull +
                    static_cast<unsigned long long>(file.st_mtim.tv_nsec));
  return text;
}

Error Missing(std::string_view key) { return NotFound("no object " + std::string(key)); }

// An operator may delete the index by date, to be written again. A folder of slots that is gone is
// not made again: a log without its past takes no writes.
bool WasRemoved(const std::string& path, int fd) {
  struct stat status {};
  return path.find(kSlotFolder) == std::string::npos && ::fstat(fd, &status) == 0 &&
         status.st_nlink == 0;
}

}  // namespace

// A file being written. Gone with this object unless it was linked or renamed.
class DirectoryStore::Temporary {
 public:
  Temporary(FileDescriptor file, std::string name, int home)
      : file_(std::move(file)), name_(std::move(name)), home_(home) {}
  ~Temporary() {
    if (!name_.empty()) ::unlinkat(home_, name_.c_str(), 0);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  int fd() const { return file_.get(); }

  int LinkInto(int directory_fd, const std::string& name) {
    if (!name_.empty()) return ::linkat(home_, name_.c_str(), directory_fd, name.c_str(), 0);
    const std::string self = "/proc/self/fd/" + std::to_string(fd());
    return ::linkat(AT_FDCWD, self.c_str(), directory_fd, name.c_str(), AT_SYMLINK_FOLLOW);
  }
  int RenameInto(int directory_fd, const std::string& name) {
    int result = ::renameat(home_, name_.c_str(), directory_fd, name.c_str());
    if (result == 0) name_.clear();
    return result;
  }

 private:
  FileDescriptor file_;
  std::string name_;  // empty: it has none
  int home_;
};

DirectoryStore::Place DirectoryStore::PlaceOf(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  std::string_view name = slash == std::string_view::npos ? key : key.substr(slash + 1);
  std::string directory(slash == std::string_view::npos ? "." : key.substr(0, slash));
  if (StartsWithSlotNumber(name)) {
    directory.append(kSlotFolder).append(name.substr(0, kFolderDigits));
  }
  return {std::move(directory), std::string(name)};
}

std::string DirectoryStore::PathOf(const Place& place) const {
  return options_.path + "/" + place.directory + "/" + place.name;
}

Result<std::string> DirectoryStore::Peek(const std::string& path, std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  const std::string full = path + "/" + place.directory + "/" + place.name;
  FileDescriptor file(::open(full.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) {
    if (errno == ENOENT || errno == ENOTDIR) return Missing(key);
    return FileError("read", full, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return FileError("read", full, errno);
  if (!S_ISREG(status.st_mode)) return Missing(key);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  SAFFRON_ASSIGN(std::size_t got, ReadAt(file.get(), 0, bytes, full));
  bytes.resize(got);
  return bytes;
}

std::shared_ptr<SyncedDirectory> DirectoryStore::FindDirectory(const std::string& path) const {
  std::lock_guard lock(directories_mutex_);
  auto found = directories_.find(path);
  const bool known = found != directories_.end() && !WasRemoved(path, found->second->fd());
  return known ? found->second : nullptr;
}

Result<std::shared_ptr<SyncedDirectory>> DirectoryStore::MakeDirectory(const std::string& path) {
  if (auto known = FindDirectory(path)) return known;
  std::lock_guard lock(make_mutex_);
  return MakeChain(path);
}

Result<std::shared_ptr<SyncedDirectory>> DirectoryStore::MakeChain(const std::string& path) {
  if (auto known = FindDirectory(path)) return known;
  const std::string full = options_.path + "/" + path;
  int fd = ::openat(root_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    const std::size_t slash = path.rfind('/');
    SAFFRON_ASSIGN(auto parent,
                   MakeChain(slash == std::string::npos ? "." : path.substr(0, slash)));
    if (::mkdirat(root_.get(), path.c_str(), 0755) != 0) {
      return FileError("make the directory", full, errno);
    }
    parent->Sync();  // before anything in it can be acknowledged
    fd = ::openat(root_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (fd < 0) return FileError("open the directory", full, errno);
  auto made = std::make_shared<SyncedDirectory>(FileDescriptor(fd), full, &options_.sync_calls);
  std::lock_guard lock(directories_mutex_);
  if (directories_.size() >= kKeptDirectories) ForgetIdleDirectories();
  directories_.insert_or_assign(path, made);
  return made;
}

void DirectoryStore::ForgetIdleDirectories() {
  // Whoever is about to make an entry holds a reference, taken under this lock.
  std::erase_if(directories_, [](const auto& item) {
    return item.second.use_count() == 1 && item.second->AllSynced();
  });
}

Result<std::unique_ptr<DirectoryStore::Temporary>> DirectoryStore::NewTemporary(int directory_fd,
                                                                                bool unnamed) {
  std::string name;
  int fd;
  if (unnamed) {
    fd = ::openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
  } else {
    name = std::to_string(++temporaries_made_);
    fd = ::openat(temporaries_.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  }
  if (fd < 0) return FileError("write a temporary file in", options_.path, errno);
  return std::make_unique<Temporary>(FileDescriptor(fd), std::move(name), temporaries_.get());
}

std::int64_t DirectoryStore::NextModificationTime() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t now_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  std::int64_t last = last_modification_ns_.load();
  std::int64_t next;
  do {
    next = std::max(now_ns, last + 1);
  } while (!last_modification_ns_.compare_exchange_weak(last, next));
  return next;
}

Result<std::string> DirectoryStore::Fill(Temporary& file, std::string_view bytes) {
  SAFFRON_TRY(WriteAll(file.fd(), bytes, options_.path));
  const std::int64_t time_ns = NextModificationTime();
  const struct timespec times[2] = {{0, UTIME_OMIT},
                                    {time_ns / 1'000'000'000, time_ns % 1'000'000'000}};
  struct stat written {};
  if (::futimens(file.fd(), times) != 0 || ::fstat(file.fd(), &written) != 0) {
    return FileError("write", options_.path, errno);
  }
  if (options_.sync_calls.fdatasync(file.fd()) != 0) {
    // Space that runs out this late is still before the link: the file is dropped.
    if (errno == ENOSPC || errno == EDQUOT) return FileError("write", options_.path, errno);
    EndAfterFailedSync(options_.path + " (a new object)", errno);
  }
  return EtagOf(written);
}

Result<std::string> DirectoryStore::PutIfAbsent(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  SAFFRON_ASSIGN(auto directory, MakeDirectory(place.directory));
  SAFFRON_ASSIGN(auto file, NewTemporary(directory->fd(), options_.unnamed_temporaries));
  SAFFRON_ASSIGN(std::string etag, Fill(*file, bytes));
  int failure;
  {
    SyncedDirectory::Entry entry(*directory);
    SAFFRON_STEP("store.link.before");
    failure = file->LinkInto(directory->fd(), place.name) == 0 ? 0 : errno;
    if (failure == 0) {
      SAFFRON_STEP("store.link.after");
      directory->Sync();
      SAFFRON_STEP("store.sync.after");
      return etag;
    }
  }
  if (failure != EEXIST) return FileError("link", PathOf(place), failure);
  // The caller will act on the object that is there, perhaps its own: it must not be lost again.
  directory->SyncWhatIsVisible();
  return Conflict("object " + std::string(key) + " exists");
}

std::mutex& DirectoryStore::SwapLock(std::string_view key) {
  return swap_locks_[std::hash<std::string_view>()(key) % swap_locks_.size()];
}

Result<std::string> DirectoryStore::PutIfMatch(std::string_view key, std::string_view bytes,
                                               std::string_view etag) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  std::lock_guard lock(SwapLock(key));
  struct stat present {};
  const std::string relative = place.directory + "/" + place.name;
  if (::fstatat(root_.get(), relative.c_str(), &present, 0) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Missing(key);
    return FileError("read", PathOf(place), errno);
  }
  if (!S_ISREG(present.st_mode)) return Missing(key);
  if (EtagOf(present) != etag) return Conflict("object " + std::string(key) + " has another etag");
  SAFFRON_ASSIGN(auto directory, MakeDirectory(place.directory));
  SAFFRON_ASSIGN(auto file, NewTemporary(directory->fd(), false));
  SAFFRON_ASSIGN(std::string written, Fill(*file, bytes));
  SyncedDirectory::Entry entry(*directory);
  SAFFRON_STEP("store.swap.before");
  if (file->RenameInto(directory->fd(), place.name) != 0) {
    return FileError("replace", PathOf(place), errno);
  }
  SAFFRON_STEP("store.swap.after");
  directory->Sync();
  return written;
}

Status DirectoryStore::Put(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  SAFFRON_ASSIGN(auto directory, MakeDirectory(place.directory));
  SAFFRON_ASSIGN(auto file, NewTemporary(directory->fd(), false));
  SAFFRON_TRY(Fill(*file, bytes));
  std::lock_guard lock(SwapLock(key));
  SyncedDirectory::Entry entry(*directory);
  if (file->RenameInto(directory->fd(), place.name) != 0) {
    return FileError("replace", PathOf(place), errno);
  }
  directory->Sync();
  return Ok();
}

Result<FileDescriptor> DirectoryStore::OpenObject(std::string_view key) const {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  const std::string relative = place.directory + "/" + place.name;
  FileDescriptor file(::openat(root_.get(), relative.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) {
    if (errno == ENOENT || errno == ENOTDIR) return Missing(key);
    return FileError("read", PathOf(place), errno);
  }
  if (auto directory = FindDirectory(place.directory)) directory->SyncWhatIsVisible();
  return file;
}

Result<StoredObject> DirectoryStore::Get(std::string_view key) {
  SAFFRON_ASSIGN(FileDescriptor file, OpenObject(key));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return FileError("read", key, errno);
  if (!S_ISREG(status.st_mode)) return Missing(key);
  StoredObject object{std::string(static_cast<std::size_t>(status.st_size), '\0'), EtagOf(status)};
  SAFFRON_ASSIGN(std::size_t got, ReadAt(file.get(), 0, object.bytes, key));
  if (got != object.bytes.size()) return Corrupt("object " + std::string(key) + " was cut short");
  return object;
}

Result<std::string> DirectoryStore::GetRange(std::string_view key, std::uint64_t offset_bytes,
                                             std::uint64_t length_bytes) {
  SAFFRON_ASSIGN(FileDescriptor file, OpenObject(key));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return FileError("read", key, errno);
  if (!S_ISREG(status.st_mode)) return Missing(key);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (offset_bytes > size || length_bytes > size - offset_bytes) {
    return Corrupt("object " + std::string(key) + " is shorter than asked for");
  }
  std::string bytes(length_bytes, '\0');
  SAFFRON_ASSIGN(std::size_t got, ReadAt(file.get(), offset_bytes, bytes, key));
  if (got != bytes.size()) return Corrupt("object " + std::string(key) + " was cut short");
  return bytes;
}

Status DirectoryStore::Delete(std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Place place = PlaceOf(key);
  const std::string relative = place.directory + "/" + place.name;
  std::lock_guard lock(SwapLock(key));
  if (::unlinkat(root_.get(), relative.c_str(), 0) != 0 && errno != ENOENT && errno != ENOTDIR) {
    return FileError("delete", PathOf(place), errno);
  }
  return Ok();
}

}  // namespace saffron
