#include "eventlog/log_context.h"

#include "base/crc32c.h"

namespace saffron {

void SlotCache::Put(SlotPtr slot) {
  std::lock_guard<std::mutex> held(mutex_);
  const std::size_t size = slot->bytes.size() * 2;  // the bytes, and about as much decoded
  if (size > capacity_bytes_ || !slots_.emplace(slot->number().value, slot).second) return;
  order_.push_back(std::move(slot));
  size_bytes_ += size;
  while (size_bytes_ > capacity_bytes_) {
    size_bytes_ -= order_.front()->bytes.size() * 2;
    slots_.erase(order_.front()->number().value);
    order_.pop_front();
  }
}

SlotPtr SlotCache::Find(SlotNumber slot) const {
  std::lock_guard<std::mutex> held(mutex_);
  auto found = slots_.find(slot.value);
  return found == slots_.end() ? nullptr : found->second;
}

void SlotSignal::Raise(SlotNumber slot) {
  std::lock_guard<Condition> held(*condition_);
  if (highest_ < slot) highest_ = slot;
  condition_->NotifyAll();
}

void SlotSignal::Nudge() {
  std::lock_guard<Condition> held(*condition_);
  ++nudges_;
  condition_->NotifyAll();
}

bool SlotSignal::WaitFor(SlotNumber slot, Instant deadline) {
  std::lock_guard<Condition> held(*condition_);
  const std::uint64_t nudges = nudges_;
  while (highest_ < slot && nudges_ == nudges) {
    if (!condition_->WaitUntil(deadline)) break;
  }
  return highest_ >= slot;
}

SlotNumber SlotSignal::highest() const {
  std::lock_guard<Condition> held(*condition_);
  return highest_;
}

Result<SlotNumber> HighestSlot(LogContext& context, SlotNumber after) {
  constexpr std::size_t kPage = 1000;
  SlotNumber highest;
  std::string above = SlotKey(context.shard, after);
  while (true) {
    SAFFRON_ASSIGN(std::vector<std::string> keys,
                   context.store.List(SlotPrefix(context.shard), above, kPage));
    for (const std::string& key : keys) {
      if (std::optional<SlotNumber> slot = SlotOfKey(context.shard, key)) highest = *slot;
    }
    if (keys.size() < kPage) return highest;
    above = keys.back();
  }
}

namespace {

Result<SlotPtr> Decode(LogContext& context, std::string bytes, SlotNumber slot) {
  if (context.decode) return context.decode(std::move(bytes), slot);
  SAFFRON_ASSIGN(Slot decoded,
                 DecodeSlot(std::move(bytes), context.format.log, context.shard, slot));
  return SlotPtr(std::make_shared<const Slot>(std::move(decoded)));
}

}  // namespace

Result<SlotPtr> ReadSlot(LogContext& context, SlotNumber slot) {
  if (SlotPtr cached = context.cache.Find(slot)) return cached;
  SAFFRON_ASSIGN(StoredObject object, context.store.Get(SlotKey(context.shard, slot)));
  SAFFRON_ASSIGN(SlotPtr read, Decode(context, std::move(object.bytes), slot));
  context.cache.Put(read);
  return read;
}

Result<Envelope> ReadEvent(LogContext& context, const EventLocation& location) {
  const Position& at = location.position;
  if (SlotPtr cached = context.cache.Find(at.slot)) {
    if (at.ordinal >= cached->events.size()) {
      return Corrupt(SlotKey(at.shard, at.slot) + ": has no event " + std::to_string(at.ordinal));
    }
    return cached->events[at.ordinal].envelope;
  }
  SAFFRON_ASSIGN(std::string bytes,
                 context.store.GetRange(SlotKey(at.shard, at.slot), location.offset_bytes,
                                        location.length_bytes));
  if (Crc32c(bytes) != location.crc32c) {
    return Corrupt(SlotKey(at.shard, at.slot) + ": event " + std::to_string(at.ordinal) +
                   " does not match its checksum");
  }
  return DecodeEnvelope(bytes);
}

}  // namespace saffron
