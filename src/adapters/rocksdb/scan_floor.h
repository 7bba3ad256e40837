// ScanFloor: where to start looking for the first key of a queue. RocksDB steps over every deleted
// key before the first live one; whoever remembers a lower bound of the live keys does not.
//
// In memory only: a new process starts at the beginning. Thread-safe. One writer at a time inserts
// keys, between BeginInsert and EndInsert; scans may run beside it. At every moment each key that a
// scan could see is at or above floor().
#pragma once

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace saffron {

class ScanFloor {
 public:
  // `lowest`: of the keys about to be written.
  void BeginInsert(std::string_view lowest) {
    std::lock_guard lock(mutex_);
    inserting_ = lowest;
    if (lowest < floor_) floor_ = lowest;
    if (scan_ceiling_ && lowest < *scan_ceiling_) scan_ceiling_ = lowest;
  }
  void EndInsert() {
    std::lock_guard lock(mutex_);
    inserting_.reset();
  }

  // Call it before the scan takes its snapshot. Only one scan at a time may raise the floor:
  // `raises` says whether it is this one, which then must call EndScan.
  struct Start {
    std::string floor;
    bool raises;
  };
  Start BeginScan() {
    std::lock_guard lock(mutex_);
    const bool raises = !scan_ceiling_;
    // What is being written now may be missing in the snapshot.
    if (raises) scan_ceiling_ = inserting_.value_or(std::string(64, '\xff'));
    return {floor_, raises};
  }
  // `found`: the first key the scan saw from the floor on, or what lies above all keys it could
  // see; none when the scan did not start at the floor or failed.
  void EndScan(const std::optional<std::string>& found) {
    std::lock_guard lock(mutex_);
    if (found) floor_ = std::min(*found, *scan_ceiling_);
    scan_ceiling_.reset();
  }

 private:
  std::mutex mutex_;
  std::string floor_;
  std::optional<std::string> inserting_;
  std::optional<std::string> scan_ceiling_;  // set while a scan that may raise the floor runs
};

}  // namespace saffron
