// An entry of indexes/by-date/ in place of the right one: it is found and mended, and nothing else
// is written.
#include "services/ops/by_date_check.h"

#include <charconv>

#include "adapters/memory/memory_object_store.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr std::uint64_t kSlots = 6;
constexpr std::uint64_t kRun = 3;  // slots of one entry

Slot SlotNumbered(std::uint64_t number) {
  Slot slot;
  slot.header.shard = 0;
  slot.header.slot = SlotNumber(number);
  slot.header.reserved_at = "2026-11-29T12:00:00.000Z";
  slot.events.resize(number % 3);
  return slot;
}

std::size_t Problems(ObjectStore& store, ByDateCheck::Mode mode) {
  std::size_t problems = 0;
  ByDateCheck check(store, mode, SlotNumber(1), SlotNumber(kSlots),
                    [&](const std::string&, const std::string&) { ++problems; });
  for (std::uint64_t number = 1; number <= kSlots; ++number) {
    Require(check.Add(SlotNumbered(number)).ok(), "an entry is no error");
  }
  Require(check.Finish().ok(), "the end is no error");
  return problems;
}

// An entry that names a slot behind the end of what is looked at is compared another time.
bool GoesOn(std::string_view bytes) {
  constexpr std::string_view kName = "\"to_slot\":";
  const std::size_t at = bytes.find(kName);
  if (at == std::string_view::npos) return false;
  std::uint64_t to = 0;
  std::from_chars(bytes.data() + at + kName.size(), bytes.data() + bytes.size(), to);
  return to > kSlots && bytes.find(SlotKey(0, SlotNumber(to))) != std::string_view::npos;
}

// Entries may reach into each other.
bool SaysWhatTheLogSays(std::string_view bytes) {
  ByDateRun run;
  for (std::uint64_t number = 1; number <= kSlots; ++number) {
    run.Add(SlotNumbered(number));
    if (number >= kRun && bytes == run.Json()) return true;
  }
  return false;
}

}  // namespace

void FuzzByDate(std::string_view bytes) {
  if (GoesOn(bytes)) return;
  ByDateRun runs[2];
  for (std::uint64_t number = 1; number <= kSlots; ++number) {
    runs[(number - 1) / kRun].Add(SlotNumbered(number));
  }
  MemoryObjectStore store;
  Require(store.Put(runs[0].Key(), bytes).ok() && store.Put(runs[1].Key(), runs[1].Json()).ok(),
          "entries are stored");
  const bool right = SaysWhatTheLogSays(bytes);
  const std::size_t problems = Problems(store, ByDateCheck::Mode::kLook);
  Require((problems == 0) == right, "what the log does not say is told");
  Require(store.Get(runs[0].Key())->bytes == bytes, "looking changes nothing");
  Require((Problems(store, ByDateCheck::Mode::kRepair) == 0) == right, "so it is when repairing");
  Require(Problems(store, ByDateCheck::Mode::kLook) == 0, "what was told is mended");
  Require(store.Get(runs[1].Key())->bytes == runs[1].Json(), "what was right is as it was");
}

}  // namespace saffron::fuzz
