#include "adapters/rocksdb/registry_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdarg>
#include <cstdio>

namespace saffron {
namespace {

constexpr off_t kLongestFile = off_t{1} << 20;
constexpr std::size_t kLongestLine = 2048;

class RegistryLog final : public rocksdb::Logger {
 public:
  explicit RegistryLog(int file) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), file_(file) {}
  ~RegistryLog() override {
    if (file_ >= 0) ::close(file_);
  }

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, kLongestLine> line;
    const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    int size = std::snprintf(line.data(), line.size(), "%lld ", static_cast<long long>(now_ms));
    const int more = std::vsnprintf(line.data() + size, line.size() - size, format, arguments);
    size = std::min(size + std::max(more, 0), static_cast<int>(line.size()) - 1);
    if (line[size - 1] != '\n') line[size++] = '\n';
    struct stat status {};
    if (::fstat(file_, &status) == 0 && status.st_size > kLongestFile &&
        ::ftruncate(file_, 0) != 0) {
      return;
    }
    // One write for one line: appended whole beside those of other threads.
    if (::write(file_, line.data(), static_cast<std::size_t>(size)) < 0) return;
  }

 private:
  const int file_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> OpenRegistryLog(const std::string& directory) {
  const std::string path = directory + "/LOG";
  return std::make_shared<RegistryLog>(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

}  // namespace saffron
