// The slot object. Inputs are of the log and place below; as no fuzzer finds a SHA-256, the
// header's count of bytes and checksum are also put right for the body that follows.
#include "eventlog/slot.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/sha256.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr SlotNumber kSlot{12};

LogId Log() { return LogId(*Uuid::Parse("0192f0c1-2a3b-7c4d-8e5f-a6b7c8d9e0f1")); }

// Replaces what stands between `before` and the next `after` in the first `end` bytes.
void Replace(std::string& text, std::size_t& end, std::string_view before, char after,
             const std::string& by) {
  std::size_t begin = text.find(before);
  if (begin == std::string::npos || begin >= end) return;
  begin += before.size();
  const std::size_t stop = text.find(after, begin);
  if (stop == std::string::npos || stop >= end) return;
  text.replace(begin, stop - begin, by);
  end = text.find('\n');
}

std::string Repaired(std::string_view bytes) {
  std::string text(bytes);
  std::size_t end = text.find('\n');
  if (end == std::string::npos) return text;
  const std::string body = text.substr(end + 1);
  Replace(text, end, "\"bytes\":", ',', std::to_string(body.size()));
  constexpr std::string_view kHash = "\"sha256\":\"";
  const std::size_t hash = std::min(text.find(kHash), end);
  Replace(text, end, kHash, '"', Sha256Hex(text.substr(0, hash) + std::string(kHash), body));
  return text;
}

bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') return false;
  }
  return true;
}

void CheckEvents(const Slot& slot) {
  const std::string_view bytes = slot.bytes;
  std::size_t at = bytes.find('\n') + 1;
  std::uint32_t ordinal = 0;
  for (const LoggedEvent& event : slot.events) {
    const std::string_view line = slot.LineOf(event);
    Require(event.location.position == Position{0, kSlot, ordinal++}, "positions count up");
    Require(event.location.offset_bytes == at, "events follow each other");
    Require(event.location.crc32c == Crc32c(line), "the checksum is that of the line");
    const auto envelope = DecodeEnvelope(line);
    Require(envelope.ok() && *envelope == event.envelope, "the line is the envelope");
    at += line.size() + 1;
  }
  Require(at == bytes.size(), "nothing follows the last event");
}

void CheckRemade(const Slot& slot) {
  const Slot remade =
      slot.header.tombstone ? MakeTombstone(slot.header) : MakeBatchSlot(slot.header, slot.events);
  const auto again = DecodeSlot(remade.bytes, Log(), 0, kSlot);
  Require(again.ok(), "what is made of a slot is a slot");
  if (IsPlain(slot.header.writer) && IsPlain(slot.header.reserved_at)) {
    Require(again->header == slot.header, "the header comes back");
  }
  Require(again->events.size() == slot.events.size(), "as many events come back");
  for (std::size_t i = 0; i < slot.events.size(); ++i) {
    Require(again->events[i].envelope == slot.events[i].envelope, "the envelopes come back");
    Require(again->events[i].outcome == slot.events[i].outcome, "the outcomes come back");
    Require(again->events[i].location == remade.events[i].location, "locations are as made");
  }
}

void CheckDamage(const Slot& slot) {
  std::string cut = slot.bytes.substr(0, slot.bytes.size() - 1);
  Require(DecodeSlot(std::move(cut), Log(), 0, kSlot).Is(Code::kCorrupt), "a cut slot is damaged");
  std::string flipped = slot.bytes;
  // Another place and bit for every slot.
  const std::size_t turn = Crc32c(slot.bytes);
  flipped[turn % flipped.size()] ^= static_cast<char>(1u << (turn >> 29));
  Require(DecodeSlot(std::move(flipped), Log(), 0, kSlot).Is(Code::kCorrupt),
          "one flipped bit is found");
}

void Check(std::string bytes) {
  const auto slot = DecodeSlot(bytes, Log(), 0, kSlot);
  if (!slot.ok()) return Require(slot.Is(Code::kCorrupt), "what is no slot is damaged");
  Require(slot->bytes == bytes, "a slot keeps its bytes");
  CheckEvents(*slot);
  CheckRemade(*slot);
  CheckDamage(*slot);
}

}  // namespace

void FuzzSlot(std::string_view bytes) {
  Check(std::string(bytes));
  Check(Repaired(bytes));
}

}  // namespace saffron::fuzz
