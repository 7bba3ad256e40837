// Entries of indexes/by-date/: which slots were written when. Derived, for people and queries by
// time; nothing ever depends on them to find an event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eventlog/slot.h"

namespace saffron {

// A run of consecutive slots of one shard. Used by one thread; lost by a crash, and then made
// again, because it is written before the publisher's checkpoint moves past the run.
class ByDateRun {
 public:
  // `slot` follows the last one added.
  void Add(const Slot& slot);
  bool empty() const { return slots_.empty(); }
  std::size_t size() const { return slots_.size(); }
  void Clear() { slots_.clear(); }
  SlotNumber first() const { return slots_.front().slot; }  // of a run that is not empty
  SlotNumber last() const { return slots_.back().slot; }
  // Of an entry as Json makes it: its last slot. Nothing unless it names that slot.
  static SlotNumber LastOf(std::string_view json, std::uint32_t shard);
  // The part of it that begins with this slot.
  ByDateRun From(SlotNumber slot) const;

  // indexes/by-date/{YYYY}/{MM}/{DD}/{ts_ms:013}_{shard:03}_{slot:020}.json, by the time at which
  // the first slot was reserved. The run is not empty.
  std::string Key() const;
  // {"shard":0,"from_slot":..,"to_slot":..,"slots":[{"key":..,"events":..}],
  //  "first_position":"0-1-0","last_position":"0-9-3"}; positions only when there is an event.
  std::string Json() const;

 private:
  struct Entry {
    std::uint32_t shard;
    SlotNumber slot;
    std::string reserved_at;
    std::size_t events;
  };
  std::vector<Entry> slots_;
};

}  // namespace saffron
