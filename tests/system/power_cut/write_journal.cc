// Preloaded into a real server (LD_PRELOAD): journals what it does to the files below one directory
// and what it syncs, in the order in which it took effect. tests/system/power_cut/power_cut.py
// rebuilds from that what a power cut at any moment may leave.
//
//   SAFFRON_JOURNAL        the journal; appended to, so that several processes may follow each
//   other SAFFRON_JOURNAL_ROOT   the directory; empty when the first process starts
//   SAFFRON_JOURNAL_BOOT   a file that is read in place of the kernel's boot id
//
// A change and its record are one step under one lock; who kills the process from outside may come
// between them, so SIGUSR2 asks it to end itself, with the lock held. A sync is not: it counts for
// what was in the journal when it began, from the moment that it is recorded, when it has returned.
// What goes past this library (mmap, calls inside of the C library) shows as a difference when the
// whole journal is replayed.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

namespace {

// As power_cut.py reads it: this, then the name, then the data.
struct Record {
  std::uint32_t operation;
  std::uint32_t name_bytes;
  std::uint64_t a, b, c;
  std::uint64_t data_bytes;
};
enum Operation : std::uint32_t {
  kCreate = 1,    // a: directory or 0, b: the new inode, c: 1 if a directory; name
  kLink = 2,      // a: directory, b: inode; name
  kUnlink = 3,    // a: directory; name
  kRename = 4,    // a: old directory, b: new one, c: inode; old name, NUL, new name
  kWrite = 5,     // a: inode, b: offset; data
  kTruncate = 6,  // a: inode, b: size
  kExtend = 7,    // a: inode, b: at least this size
  kSync = 8,      // a: inode, b: size of the journal when the sync began
  kSyncAll = 9,   // the same of everything
};

constexpr std::size_t kMostFiles = 65536;

class Journal {
 public:
  // Before main. What it does to files itself is not journaled: it is not on yet.
  void Begin() {
    const char* path = ::getenv("SAFFRON_JOURNAL");
    const char* root = ::getenv("SAFFRON_JOURNAL_ROOT");
    if (path == nullptr || root == nullptr) return;
    struct stat status {};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (::lstat(entry.path().c_str(), &status) != 0) Fail("cannot read the root");
      (S_ISDIR(status.st_mode) ? directories_ : files_).insert(status.st_ino);
    }
    if (::stat(root, &status) != 0) Fail("there is no root");
    const std::uint64_t root_inode = status.st_ino;
    directories_.insert(root_inode);
    const long file =
        ::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || ::fstat(static_cast<int>(file), &status) != 0) Fail("cannot open the journal");
    size_ = static_cast<std::uint64_t>(status.st_size);
    file_ = static_cast<int>(file);
    if (size_ == 0) Add({kCreate, 0, 0, root_inode, 1, 0});
    EndWhenAsked();
  }

  bool on() const { return file_ >= 0; }
  std::mutex& mutex() { return mutex_; }

  // With the mutex held.
  std::uint64_t size() const { return size_; }
  void Add(Record record, const std::string& name = "", const void* data = nullptr) {
    record.name_bytes = static_cast<std::uint32_t>(name.size());
    const std::array<iovec, 3> parts = {{{&record, sizeof record},
                                         {const_cast<char*>(name.data()), name.size()},
                                         {const_cast<void*>(data), record.data_bytes}}};
    const std::size_t bytes = sizeof record + name.size() + record.data_bytes;
    const long written = ::syscall(SYS_writev, file_, parts.data(), parts.size());
    if (written != static_cast<long>(bytes)) Fail("cannot write the journal");
    size_ += bytes;
  }
  bool IsDirectory(std::uint64_t inode) const { return directories_.contains(inode); }
  bool IsFile(std::uint64_t inode) const { return files_.contains(inode); }
  void Created(std::uint64_t directory, std::uint64_t inode, bool is_directory,
               const std::string& name) {
    (is_directory ? directories_ : files_).insert(inode);
    Add({kCreate, 0, directory, inode, is_directory ? 1u : 0u, 0}, name);
  }
  void Forget(std::uint64_t directory) { directories_.erase(directory); }

  // Of an open file below the root: its inode; else 0.
  std::uint64_t InodeOf(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < kMostFiles ? open_[fd] : 0;
  }
  void SetOpen(int fd, std::uint64_t inode, bool synced) {
    if (static_cast<std::size_t>(fd) >= kMostFiles) Fail("too many files");
    open_[fd] = inode;
    synced_[fd] = synced;
  }
  bool SyncsEachWrite(int fd) const { return synced_[fd]; }

  [[noreturn]] static void Fail(const char* what) {
    ::fprintf(stderr, "write_journal: %s\n", what);
    ::abort();
  }

 private:
  void EndWhenAsked() {
    sigset_t asked;
    ::sigemptyset(&asked);
    ::sigaddset(&asked, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);  // of every thread that comes
    std::thread([this, asked] {
      int signal = 0;
      ::sigwait(&asked, &signal);
      mutex_.lock();
      ::kill(::getpid(), SIGKILL);
    }).detach();
  }

  int file_ = -1;
  std::mutex mutex_;
  std::uint64_t size_ = 0;
  std::unordered_set<std::uint64_t> directories_, files_;  // that are below the root
  std::array<std::uint64_t, kMostFiles> open_{};
  std::array<bool, kMostFiles> synced_{};
};

Journal& TheJournal() {
  static Journal& journal = *new Journal;  // used until the last thread ends
  return journal;
}

__attribute__((constructor)) void Begin() { TheJournal().Begin(); }

using Lock = std::lock_guard<std::mutex>;

std::string NameOf(const char* path) {
  const char* slash = ::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

// The directory that a path names an entry of; 0: there is none.
std::uint64_t DirectoryOf(int at, const char* path) {
  const char* slash = ::strrchr(path, '/');
  std::string directory = slash == nullptr ? "." : std::string(path, slash);
  if (slash == path) directory = "/";
  struct stat status {};
  return ::fstatat(at, directory.c_str(), &status, 0) == 0 ? status.st_ino : 0;
}

std::uint64_t InodeAt(int at, const char* path, int flags = AT_SYMLINK_NOFOLLOW) {
  struct stat status {};
  return ::fstatat(at, path, &status, flags) == 0 ? status.st_ino : 0;
}

int Open(int at, const char* path, int flags, mode_t mode) {
  Journal& journal = TheJournal();
  const auto open = [&] {
    return static_cast<int>(::syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode));
  };
  if (!journal.on() || (flags & O_PATH) != 0) return open();
  Lock lock(journal.mutex());
  const bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
  const bool was_there = unnamed || InodeAt(at, path) != 0;
  const int fd = open();
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return fd;
  if (unnamed && journal.IsDirectory(InodeAt(at, path, 0))) {
    journal.Created(0, status.st_ino, false, "");
  } else if (const std::uint64_t parent = DirectoryOf(at, path);
             !was_there && journal.IsDirectory(parent)) {
    journal.Created(parent, status.st_ino, false, NameOf(path));
  }
  if (!journal.IsFile(status.st_ino)) return fd;
  if (was_there && (flags & O_TRUNC) != 0) journal.Add({kTruncate, 0, status.st_ino, 0, 0, 0});
  journal.SetOpen(fd, status.st_ino, (flags & (O_SYNC | O_DSYNC)) != 0);
  return fd;
}

mode_t ModeOf(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

// `at` < 0: at the file's own place, which the call moves.
template <class Call>
ssize_t Write(int fd, const iovec* parts, int count, off_t at, const Call& call) {
  Journal& journal = TheJournal();
  const std::uint64_t inode = journal.on() ? journal.InodeOf(fd) : 0;
  if (inode == 0) return call();
  Lock lock(journal.mutex());
  const ssize_t written = call();
  if (written <= 0) return written;
  // Where an appending write went is known when it is over.
  std::uint64_t offset =
      static_cast<std::uint64_t>(at < 0 ? ::lseek(fd, 0, SEEK_CUR) - written : at);
  auto left = static_cast<std::size_t>(written);
  for (int i = 0; i < count && left > 0; ++i) {
    const std::size_t bytes = std::min(left, parts[i].iov_len);
    journal.Add({kWrite, 0, inode, offset, 0, bytes}, "", parts[i].iov_base);
    offset += bytes;
    left -= bytes;
  }
  if (journal.SyncsEachWrite(fd)) journal.Add({kSync, 0, inode, journal.size(), 0, 0});
  return written;
}

int Sync(int fd, long number) {
  Journal& journal = TheJournal();
  std::uint64_t inode = 0, begun = 0;
  struct stat status {};
  if (journal.on() && ::fstat(fd, &status) == 0) {
    Lock lock(journal.mutex());
    const bool ours = journal.IsDirectory(status.st_ino) || journal.IsFile(status.st_ino);
    if (ours) inode = status.st_ino;
    begun = journal.size();
  }
  const int result = static_cast<int>(::syscall(number, fd));
  if (inode == 0 || result != 0) return result;
  Lock lock(journal.mutex());
  if (number == SYS_syncfs) {
    journal.Add({kSyncAll, 0, 0, begun, 0, 0});
  } else {
    journal.Add({kSync, 0, inode, begun, 0, 0});
  }
  return result;
}

template <class Call>
int Resize(int fd, Operation operation, std::uint64_t size, const Call& call) {
  Journal& journal = TheJournal();
  const std::uint64_t inode = journal.on() ? journal.InodeOf(fd) : 0;
  if (inode == 0) return call();
  Lock lock(journal.mutex());
  const int result = call();
  if (result == 0) journal.Add({operation, 0, inode, size, 0, 0});
  return result;
}

int Rename(int old_at, const char* old_path, int new_at, const char* new_path, unsigned flags) {
  Journal& journal = TheJournal();
  const auto rename = [&] {
    return static_cast<int>(::syscall(SYS_renameat2, old_at, old_path, new_at, new_path, flags));
  };
  if (!journal.on()) return rename();
  Lock lock(journal.mutex());
  const std::uint64_t inode = InodeAt(old_at, old_path);
  const std::uint64_t from = DirectoryOf(old_at, old_path), to = DirectoryOf(new_at, new_path);
  const int result = rename();
  if (result != 0 || !journal.IsDirectory(from)) return result;
  if (flags != 0 || !journal.IsDirectory(to)) Journal::Fail("a rename out of the root");
  journal.Add({kRename, 0, from, to, inode, 0},
              NameOf(old_path) + std::string(1, '\0') + NameOf(new_path));
  return result;
}

int Link(int old_at, const char* old_path, int new_at, const char* new_path, int flags) {
  Journal& journal = TheJournal();
  const auto link = [&] {
    return static_cast<int>(::syscall(SYS_linkat, old_at, old_path, new_at, new_path, flags));
  };
  if (!journal.on()) return link();
  Lock lock(journal.mutex());
  const int result = link();
  const std::uint64_t directory = DirectoryOf(new_at, new_path);
  if (result == 0 && journal.IsDirectory(directory)) {
    journal.Add({kLink, 0, directory, InodeAt(new_at, new_path), 0, 0}, NameOf(new_path));
  }
  return result;
}

int Unlink(int at, const char* path, int flags) {
  Journal& journal = TheJournal();
  const auto unlink = [&] { return static_cast<int>(::syscall(SYS_unlinkat, at, path, flags)); };
  if (!journal.on()) return unlink();
  Lock lock(journal.mutex());
  const std::uint64_t directory = DirectoryOf(at, path), inode = InodeAt(at, path);
  const int result = unlink();
  if (result != 0 || !journal.IsDirectory(directory)) return result;
  journal.Add({kUnlink, 0, directory, 0, 0, 0}, NameOf(path));
  if ((flags & AT_REMOVEDIR) != 0) journal.Forget(inode);
  return result;
}

int MakeDirectory(int at, const char* path, mode_t mode) {
  Journal& journal = TheJournal();
  const auto make = [&] { return static_cast<int>(::syscall(SYS_mkdirat, at, path, mode)); };
  if (!journal.on()) return make();
  Lock lock(journal.mutex());
  const int result = make();
  const std::uint64_t parent = DirectoryOf(at, path);
  if (result == 0 && journal.IsDirectory(parent)) {
    journal.Created(parent, InodeAt(at, path), true, NameOf(path));
  }
  return result;
}

FILE* OpenStream(const char* name, const char* path, const char* mode) {
  const char* boot = ::getenv("SAFFRON_JOURNAL_BOOT");
  if (boot != nullptr && ::strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot;
  using Function = FILE* (*)(const char*, const char*);
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name))(path, mode);
}

}  // namespace

// What the C library would do, under its names: each that touches files or their names.
extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = ModeOf(flags, rest);
  va_end(rest);
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = ModeOf(flags, rest);
  va_end(rest);
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = ModeOf(flags, rest);
  va_end(rest);
  return Open(at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = ModeOf(flags, rest);
  va_end(rest);
  return Open(at, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
  return Open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int close(int fd) {
  if (TheJournal().on() && TheJournal().InodeOf(fd) != 0) TheJournal().SetOpen(fd, 0, false);
  return static_cast<int>(::syscall(SYS_close, fd));
}

ssize_t write(int fd, const void* data, size_t bytes) {
  const iovec part{const_cast<void*>(data), bytes};
  return Write(fd, &part, 1, -1, [&] { return ::syscall(SYS_write, fd, data, bytes); });
}
ssize_t writev(int fd, const iovec* parts, int count) {
  return Write(fd, parts, count, -1, [&] { return ::syscall(SYS_writev, fd, parts, count); });
}
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t at) {
  const iovec part{const_cast<void*>(data), bytes};
  return Write(fd, &part, 1, at, [&] { return ::syscall(SYS_pwrite64, fd, data, bytes, at); });
}
ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t at) {
  return pwrite(fd, data, bytes, at);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  return Write(fd, parts, count, at,
               [&] { return ::syscall(SYS_pwritev, fd, parts, count, at, 0L); });
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t at) {
  return pwritev(fd, parts, count, at);
}

int ftruncate(int fd, off_t size) noexcept {
  return Resize(fd, kTruncate, static_cast<std::uint64_t>(size),
                [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); });
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }
int fallocate(int fd, int mode, off_t at, off_t bytes) {
  // With KEEP_SIZE space is taken or, behind the end, given back: nothing that a reader sees.
  const auto size = (mode & FALLOC_FL_KEEP_SIZE) != 0 ? 0 : static_cast<std::uint64_t>(at + bytes);
  return Resize(fd, kExtend, size,
                [&] { return static_cast<int>(::syscall(SYS_fallocate, fd, mode, at, bytes)); });
}
int fallocate64(int fd, int mode, off64_t at, off64_t bytes) {
  return fallocate(fd, mode, at, bytes);
}
int posix_fallocate(int fd, off_t at, off_t bytes) {
  return fallocate(fd, 0, at, bytes) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t at, off64_t bytes) { return posix_fallocate(fd, at, bytes); }

int fsync(int fd) { return Sync(fd, SYS_fsync); }
int fdatasync(int fd) { return Sync(fd, SYS_fdatasync); }
int syncfs(int fd) noexcept { return Sync(fd, SYS_syncfs); }
// sync_file_range promises nothing after a power cut, so it is not seen.

int rename(const char* from, const char* to) noexcept {
  return Rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
  return Rename(from_at, from, to_at, to, 0);
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) noexcept {
  return Rename(from_at, from, to_at, to, flags);
}
int link(const char* from, const char* to) noexcept {
  return Link(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int linkat(int from_at, const char* from, int to_at, const char* to, int flags) noexcept {
  return Link(from_at, from, to_at, to, flags);
}
int unlink(const char* path) noexcept { return Unlink(AT_FDCWD, path, 0); }
int unlinkat(int at, const char* path, int flags) noexcept { return Unlink(at, path, flags); }
int rmdir(const char* path) noexcept { return Unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) noexcept {
  const int result = unlink(path);
  return result != 0 && errno == EISDIR ? rmdir(path) : result;
}
int mkdir(const char* path, mode_t mode) noexcept { return MakeDirectory(AT_FDCWD, path, mode); }
int mkdirat(int at, const char* path, mode_t mode) noexcept {
  return MakeDirectory(at, path, mode);
}

FILE* fopen(const char* path, const char* mode) { return OpenStream("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return OpenStream("fopen64", path, mode); }

}  // extern "C"
