// Workload: the requests that a scenario sends, made by patching keys into bytes built once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saffron {

struct WorkloadOptions {
  std::string scenario;  // live, get, create or bulk
  std::string host;      // for the Host header
  std::string db = "bench";
  std::string class_id = "Item";
  std::uint64_t first = 0;  // number of the first key
  std::uint64_t keys = 0;   // get: keys first .. first + keys - 1, again and again
  std::size_t items = 100;  // bulk: instances a request
  int wait_s = 0;           // create: answer only when COMPLETED, at most so long
};

// One thread. Instance n is named by a bijective scramble of n: distinct, and in random order of
// names, which is the hard case for an index.
class Workload {
 public:
  // Nothing: there is no such scenario.
  static std::optional<Workload> Make(const WorkloadOptions& options);

  // The next request, whole; valid until the next call.
  std::string_view Next();
  // Instances that one request reads or writes.
  std::size_t items() const { return item_count_; }

 private:
  void Patch(std::size_t at, std::string_view text) { bytes_.replace(at, text.size(), text); }

  std::string bytes_;
  std::vector<std::size_t> key_at_;       // where each key stands in bytes_
  std::vector<std::size_t> quantity_at_;  // three digits that vary with the key
  std::size_t item_count_ = 1;
  std::uint64_t first_ = 0;
  std::uint64_t keys_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace saffron
