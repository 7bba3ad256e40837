// Listing a directory store in byte order of the keys, folders of slots unseen.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <queue>
#include <utility>

#include "adapters/directory/directory_errors.h"
#include "adapters/directory/directory_store.h"
#include "ports/object_key.h"

namespace saffron {

namespace {

// An object, or a directory whose keys all start with `key`.
struct Found {
  std::string key;
  std::string path;  // of a directory: relative to the root; of an object: empty
  friend bool operator>(const Found& a, const Found& b) { return a.key > b.key; }
};

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

bool IsDirectory(int directory_fd, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat status {};
  return ::fstatat(directory_fd, entry.d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

// One listing: the smallest thing found is taken, and replaced by its contents if it is a
// directory. So only directories that can hold a key of the answer are read.
class DirectoryStore::Listing {
 public:
  Listing(const DirectoryStore& store, std::string_view prefix, std::string_view after)
      : store_(store), prefix_(prefix), after_(after) {}

  Result<std::vector<std::string>> Run(std::size_t limit) {
    const std::size_t slash = prefix_.rfind('/');
    const bool root = slash == std::string_view::npos;
    found_.push({root ? "" : std::string(prefix_.substr(0, slash + 1)),
                 root ? "." : std::string(prefix_.substr(0, slash))});
    std::vector<std::string> keys;
    while (!found_.empty() && keys.size() < limit) {
      Found next = found_.top();
      found_.pop();
      if (next.path.empty()) {
        keys.push_back(std::move(next.key));
      } else {
        SAFFRON_TRY(ReadDirectory(next));
      }
    }
    return keys;
  }

 private:
  bool MayHold(std::string_view directory_key) const {
    if (!directory_key.starts_with(prefix_) && !prefix_.starts_with(directory_key)) return false;
    return after_ < directory_key || after_.starts_with(directory_key);
  }

  Status ReadDirectory(const Found& directory) {
    const std::string full = store_.options_.path + "/" + directory.path;
    int fd =
        ::openat(store_.root_.get(), directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return Ok();
    std::unique_ptr<DIR, CloseDirectory> stream(fd < 0 ? nullptr : ::fdopendir(fd));
    if (!stream) return FileError("list", full, errno);
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      Take(directory, *entry, fd);
      errno = 0;
    }
    if (errno != 0) return FileError("list", full, errno);
    if (auto state = store_.FindDirectory(directory.path)) state->SyncWhatIsVisible();
    return Ok();
  }

  void Take(const Found& directory, const dirent& entry, int fd) {
    std::string_view name = entry.d_name;
    const bool in_root = directory.path == "." && !name.starts_with('+');
    const std::string path = in_root ? std::string(name) : directory.path + "/" + entry.d_name;
    if (name.starts_with('+')) {
      const std::string key = directory.key + std::string(name.substr(1));
      if (MayHold(key)) found_.push({key, path});
      return;
    }
    if (!CheckObjectKey(name).ok()) return;  // "." and "..", the lock, the temporaries
    // Within a folder of slots the number is whole in the name, and its start in the folder's key.
    const std::size_t own = directory.path.rfind("/+");
    const bool in_folder =
        own != std::string::npos && directory.path.find('/', own + 1) == std::string::npos;
    std::string key =
        in_folder ? directory.key.substr(0, directory.key.rfind('/') + 1) : directory.key;
    key.append(name);
    if (IsDirectory(fd, entry)) {
      key.push_back('/');
      if (MayHold(key)) found_.push({std::move(key), path});
    } else if (key.starts_with(prefix_) && key > after_) {
      found_.push({std::move(key), ""});
    }
  }

  const DirectoryStore& store_;
  const std::string_view prefix_;
  const std::string_view after_;
  std::priority_queue<Found, std::vector<Found>, std::greater<>> found_;
};

Result<std::vector<std::string>> DirectoryStore::List(std::string_view prefix,
                                                      std::string_view after, std::size_t limit) {
  SAFFRON_TRY(CheckObjectPrefix(prefix));
  return Listing(*this, prefix, after).Run(limit);
}

}  // namespace saffron
