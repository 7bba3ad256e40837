#include "services/ops/by_date_check.h"

namespace saffron {
namespace {

// More than a publisher writes into one entry; what says that it holds more is not one of its.
constexpr std::size_t kMostSlots = 20'000;
constexpr std::size_t kRepairedRun = 1'000;

}  // namespace

ByDateCheck::ByDateCheck(ObjectStore& store, Mode mode, SlotNumber from, SlotNumber to, Tell tell)
    : store_(store), mode_(mode), to_(to), tell_(std::move(tell)), began_(from.value <= 1) {}

Result<std::optional<ByDateCheck::Stored>> ByDateCheck::Read(const ByDateRun& run,
                                                             std::uint32_t shard) {
  Result<StoredObject> object = store_.Get(run.Key());
  if (object.Is(Code::kNotFound)) return std::optional<Stored>();
  if (object.Is(Code::kCorrupt)) return std::optional(Stored{});
  if (!object.ok()) return object.error();
  // All of its bytes are compared later.
  const SlotNumber to = ByDateRun::LastOf(object->bytes, shard);
  return std::optional(Stored{std::move(object->bytes), to});
}

Status ByDateCheck::Add(const Slot& slot) {
  if (run_.empty()) return Begin(slot);
  run_.Add(slot);
  return slot.number() < stored_.to && run_.size() < kMostSlots ? Ok() : EndRun();
}

// A slot at which an entry must begin, unless an older one reaches beyond it.
Status ByDateCheck::Begin(const Slot& slot) {
  if (to_ < slot.number()) return EndGap();
  ByDateRun own;
  own.Add(slot);
  SAFFRON_ASSIGN(std::optional<Stored> stored, Read(own, slot.header.shard));
  if (stored) {
    began_ = true;
    SAFFRON_TRY(EndGap());
    stored_ = std::move(*stored);
    run_ = std::move(own);
  } else {
    SAFFRON_ASSIGN(bool overlaps, FindOverlapping(slot));
    if (!overlaps) return began_ ? Miss(slot) : Ok();
  }
  return slot.number() < stored_.to ? Ok() : EndRun();
}

Result<bool> ByDateCheck::FindOverlapping(const Slot& slot) {
  if (before_.empty() || before_.last().Next() != slot.number()) return false;
  for (SlotNumber at = before_.last(); before_.first() < at; at = SlotNumber(at.value - 1)) {
    ByDateRun part = before_.From(at);
    SAFFRON_ASSIGN(std::optional<Stored> stored, Read(part, slot.header.shard));
    if (!stored || stored->to < slot.number()) continue;
    stored_ = std::move(*stored);
    run_ = std::move(part);
    run_.Add(slot);
    return true;
  }
  return false;
}

Status ByDateCheck::EndRun() {
  before_ = std::move(run_);
  run_ = ByDateRun();
  if (before_.Json() == stored_.bytes) {
    ++entries_;
    return Ok();
  }
  tell_("index: " + before_.Key(), "the entry does not say what the log says");
  return mode_ == Mode::kRepair ? Write(before_) : Ok();
}

Status ByDateCheck::Miss(const Slot& slot) {
  if (gap_first_.value == 0) gap_first_ = slot.number();
  gap_last_ = slot.number();
  if (mode_ == Mode::kLook) return Ok();
  gap_.Add(slot);
  if (gap_.size() < kRepairedRun) return Ok();
  SAFFRON_TRY(Write(gap_));
  gap_.Clear();
  return Ok();
}

Status ByDateCheck::EndGap() {
  if (gap_first_.value == 0) return Ok();
  tell_(
      "index: slots " + std::to_string(gap_first_.value) + " to " + std::to_string(gap_last_.value),
      "no entry of indexes/by-date/ names them");
  gap_first_ = SlotNumber();
  if (!gap_.empty()) SAFFRON_TRY(Write(gap_));
  gap_.Clear();
  return Ok();
}

Status ByDateCheck::Write(const ByDateRun& run) {
  ++repaired_;
  return store_.Put(run.Key(), run.Json());
}

Status ByDateCheck::Finish() { return EndGap(); }

}  // namespace saffron
