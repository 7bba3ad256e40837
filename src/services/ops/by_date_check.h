// ByDateCheck: the entries of indexes/by-date/ against the slots of the log, which are given to it
// in order. The key of an entry follows from its first slot, so nothing is listed: where one entry
// ends the next is asked for by name. What is found: slots that no entry names, and entries that
// do not say what the log says. Entries that nobody comes by are not looked for.
//
// It holds one run of slots. With Mode::kRepair it writes an entry for the slots that have no
// good one; nothing else is touched, and the publisher may write its own meanwhile (any entry is a
// function of its slots). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "eventlog/by_date_index.h"
#include "ports/object_store.h"

namespace saffron {

class ByDateCheck {
 public:
  enum class Mode { kLook, kRepair };
  using Tell = std::function<void(std::string where, std::string what)>;

  // `from`: slots before it are not judged; up to the first entry that begins at or after it,
  // whether there is one is not known. `to`: the last slot that must have an entry.
  ByDateCheck(ObjectStore& store, Mode mode, SlotNumber from, SlotNumber to, Tell tell);

  // The slot follows the last one. An error is of the store.
  Status Add(const Slot& slot);
  Status Finish();
  std::uint64_t entries() const { return entries_; }    // found good
  std::uint64_t repaired() const { return repaired_; }  // written

 private:
  struct Stored {
    std::string bytes;
    SlotNumber to;  // what it says; 0: it cannot be read
  };

  // The entry that begins where the run does.
  Result<std::optional<Stored>> Read(const ByDateRun& run, std::uint32_t shard);
  Status Begin(const Slot& slot);
  // One that begins within the run before and reaches the slot: a publisher whose checkpoint was
  // rolled back cut its runs elsewhere.
  Result<bool> FindOverlapping(const Slot& slot);
  Status EndRun();
  Status Miss(const Slot& slot);
  Status EndGap();
  Status Write(const ByDateRun& run);

  ObjectStore& store_;
  const Mode mode_;
  const SlotNumber to_;
  const Tell tell_;
  ByDateRun run_;                    // slots of the entry that is being compared
  Stored stored_;                    // that entry
  ByDateRun before_;                 // the slots of the one before
  ByDateRun gap_;                    // slots without an entry, to be written
  SlotNumber gap_first_, gap_last_;  // 0: there is no gap
  bool began_;                       // an entry was found, or there must be one
  std::uint64_t entries_ = 0, repaired_ = 0;
};

}  // namespace saffron
