// What a durable put costs: the bare system calls, and the directory store, in turns on the same
// file system, so that a ratio can be quoted. One JSON line each.
//
//   bench_directory_store <directory> [puts]
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/directory/directory_store.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;

void BarePut(int directory_fd, const std::string& name, const std::string& bytes) {
  int fd = ::openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  bool ok = fd >= 0 && ::write(fd, bytes.data(), bytes.size()) > 0 && ::fdatasync(fd) == 0 &&
            ::linkat(AT_FDCWD, self.c_str(), directory_fd, name.c_str(), AT_SYMLINK_FOLLOW) == 0 &&
            ::fsync(directory_fd) == 0;
  SAFFRON_ASSERT(ok);
  ::close(fd);
}

void Measure(const char* what, int threads, int puts, const std::function<void(int)>& put) {
  std::atomic<int> next{0};
  std::vector<std::vector<double>> times(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  const auto begin = Clock::now();
  for (auto& mine : times) {
    running.emplace_back([&] {
      for (int i; (i = next++) < puts;) {
        const auto start = Clock::now();
        put(i);
        mine.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
      }
    });
  }
  for (auto& thread : running) thread.join();
  const double total_s = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> all;
  for (auto& mine : times) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  std::printf(
      "{\"what\":\"%s\",\"threads\":%d,\"puts_per_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
      what, threads, puts / total_s, all[all.size() / 2], all[all.size() * 99 / 100]);
}

int Run(const std::string& root, int puts) {
  const std::string bytes(4096, 'x');
  DirectoryStoreOptions options;
  options.path = root + "/store";
  auto store = DirectoryStore::Open(options);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
    return 1;
  }
  int series = 0;
  for (int round = 0; round < 2; ++round) {
    for (int threads : {1, 3, 8}) {
      const std::string folder = root + "/bare" + std::to_string(++series);
      ::mkdir(folder.c_str(), 0755);
      int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
      Measure("bare", threads, puts, [&](int i) { BarePut(fd, std::to_string(i), bytes); });
      ::close(fd);
      const std::string prefix = "s" + std::to_string(series) + "/";
      Measure("directory store", threads, puts, [&](int i) {
        SAFFRON_ASSERT((*store)->PutIfAbsent(prefix + std::to_string(i), bytes).ok());
      });
    }
  }
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return saffron::Run(argv[1], argc > 2 ? std::atoi(argv[2]) : 2000);
}
