// The raw limit of a durable write: the bare system calls of putting one object of a directory
// store, one after the other. Prints one JSON object.
//
//   bench_durable_put FOLDER [SECONDS] [BYTES]
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/load/histogram.h"

namespace {

using Clock = std::chrono::steady_clock;

bool Put(int directory_fd, const std::string& name, const std::string& bytes) {
  const int fd = ::openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  const bool ok =
      ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      ::fdatasync(fd) == 0 &&
      ::linkat(AT_FDCWD, self.c_str(), directory_fd, name.c_str(), AT_SYMLINK_FOLLOW) == 0 &&
      ::fsync(directory_fd) == 0;
  ::close(fd);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("Usage: bench_durable_put FOLDER [SECONDS] [BYTES]\n", stderr);
    return 2;
  }
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  const std::string bytes(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 2048, 'x');
  ::mkdir(argv[1], 0755);
  const int directory_fd = ::open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  saffron::Histogram latency_ns;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  auto last = begin;
  for (int i = 0; last < end; ++i) {
    if (!Put(directory_fd, std::to_string(::getpid()) + "-" + std::to_string(i), bytes)) {
      std::perror("bench_durable_put");
      return 1;
    }
    const auto now = Clock::now();
    latency_ns.Record(static_cast<std::uint64_t>((now - last) / std::chrono::nanoseconds(1)));
    last = now;
  }
  ::close(directory_fd);
  const double took = std::chrono::duration<double>(last - begin).count();
  std::printf("{\"puts\":%llu,\"puts_per_s\":%.1f,\"bytes\":%zu,\"latency_us\":{\"p50\":%.1f,",
              static_cast<unsigned long long>(latency_ns.count()),
              static_cast<double>(latency_ns.count()) / took, bytes.size(),
              static_cast<double>(latency_ns.At(0.5)) / 1e3);
  std::printf(
      "\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n", static_cast<double>(latency_ns.At(0.9)) / 1e3,
      static_cast<double>(latency_ns.At(0.99)) / 1e3, static_cast<double>(latency_ns.max()) / 1e3);
  return 0;
}
