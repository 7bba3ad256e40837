// BusCheck: the records of the bus against the events of the log.
//
// The bus is at least once and in slot order, and forgets from its old end. So of each partition
// only the first delivery of every position is looked at, and from the first record that is still
// there on nothing may be missing, added or altered. Memory does not grow with the log: both sides
// are summed up for ranges of slots, and a range that differs is told. One thread; the bus is read
// first, by a group of its own that commits nothing, then the log is added.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/digest_sum.h"
#include "base/runtime.h"
#include "eventlog/slot.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"

namespace saffron {

struct BusCheckOptions {
  SlotNumber from, head;       // slots outside of it are not judged
  Duration patience;           // for the next record
  std::uint64_t ranges = 512;  // so many of slots, for each partition
};

class BusCheck {
 public:
  using Tell = std::function<void(std::string where, std::string what)>;

  BusCheck(Runtime& runtime, MessageBus& bus, BusCheckOptions options, Tell tell);

  // Up to the ends that were acknowledged when the head had been published. `progress` takes the
  // number of records read.
  Status ReadBus(const PublishedRow& row, const std::function<void(std::uint64_t)>& progress);
  void AddFromLog(const Slot& slot, const LoggedEvent& event);
  // At the end of the log: tells what differs.
  void Compare();
  std::uint64_t records() const { return records_; }

 private:
  struct Range {
    DigestSum in_bus, in_log;
  };
  struct Partition {
    std::uint64_t left_at = 0;  // the offset up to which it is read
    bool judged = true;
    bool seen = false;
    Position first;    // what comes before was forgotten
    Position highest;  // delivered so far
    std::map<std::uint64_t, Range> ranges;
  };

  Status ReadTopic(const std::string& topic, const PublishedRow& row);
  Status Drain(const std::function<void(std::uint64_t)>& progress);
  void Take(const BusRecord& record);
  void TakeLetter(const BusRecord& record);
  std::uint64_t RangeOf(SlotNumber slot) const {
    return (slot.value - options_.from.value) / width_;
  }
  void CompareRange(const TopicPartition& of, std::uint64_t index, const Range& range);

  Runtime& runtime_;
  MessageBus& bus_;
  const BusCheckOptions options_;
  const Tell tell_;
  const std::uint64_t width_;  // of a range, in slots
  std::map<TopicPartition, Partition> partitions_;
  std::map<std::string, std::uint32_t> partitions_of_;
  std::set<Position> refused_;  // by the bus, as its dead letters say
  std::uint64_t records_ = 0;
};

}  // namespace saffron
