#include "eventlog/slot.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "base/crc32c.h"
#include "base/sha256.h"

namespace saffron {
namespace {

constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kShardDigits = 3;
constexpr std::size_t kSlotDigits = 20;
constexpr std::size_t kHashDigits = 64;
// The header ends with its hash, which covers every byte of the object before and after itself.
constexpr std::string_view kAfterHash = "\"}";
// No envelope is shorter.
constexpr std::size_t kLeastLine = 100;

// Keys are made for every look at a slot: printf costs more than the look.
void AppendPadded(std::string& out, std::uint64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  out.append(digits - std::min(digits, text.size()), '0').append(text);
}

// Header text of ours holds no character that JSON would escape: ids, hex, RFC 3339, host names.
void AppendMember(std::string& out, std::string_view name, std::string_view text) {
  out.append("\"").append(name).append("\":\"");
  for (char c : text) {
    bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    out.push_back(plain ? c : '_');
  }
  out.append("\",");
}

std::string HeaderLine(const SlotHeader& header, std::size_t count, std::string_view body) {
  std::string line = "{\"format\":" + std::to_string(kSlotFormat) + ",";
  AppendMember(line, "log_id", header.log.ToString());
  line.append("\"shard\":").append(std::to_string(header.shard)).append(",\"slot\":");
  line.append(std::to_string(header.slot.value)).append(",");
  AppendMember(line, "kind", header.tombstone ? "tombstone" : "batch");
  AppendMember(line, "batch_id", header.batch.ToString());
  AppendMember(line, "writer", header.writer);
  AppendMember(line, "reserved_at", header.reserved_at);
  line.append("\"count\":").append(std::to_string(count)).append(",\"bytes\":");
  line.append(std::to_string(body.size())).append(",\"sha256\":\"");
  line.append(Sha256Hex(line, body)).append(kAfterHash);
  return line.append("\n");
}

struct RawHeader {
  SlotHeader header;
  std::int64_t format = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::string sha256;
};

bool ReadText(simdjson::dom::element object, const char* name, std::string& out) {
  std::string_view text;
  if (object[name].get_string().get(text) != simdjson::SUCCESS) return false;
  out = text;
  return true;
}

template <class Id>
bool ReadId(simdjson::dom::element object, const char* name, Id& out) {
  std::string text;
  if (!ReadText(object, name, text)) return false;
  std::optional<Uuid> uuid = Uuid::Parse(text);
  if (uuid) out = Id(*uuid);
  return uuid.has_value();
}

bool ReadNumber(simdjson::dom::element object, const char* name, std::uint64_t& out) {
  return object[name].get_uint64().get(out) == simdjson::SUCCESS;
}

// The name of the first member that is missing or wrong; empty: none.
std::string_view ReadHeader(simdjson::dom::element object, RawHeader& out) {
  std::uint64_t shard = 0;
  std::string kind;
  if (object["format"].get_int64().get(out.format) != simdjson::SUCCESS) return "format";
  if (!ReadId(object, "log_id", out.header.log)) return "log_id";
  if (!ReadNumber(object, "shard", shard) || shard > UINT32_MAX) return "shard";
  if (!ReadNumber(object, "slot", out.header.slot.value)) return "slot";
  if (!ReadText(object, "kind", kind) || (kind != "batch" && kind != "tombstone")) return "kind";
  if (!ReadId(object, "batch_id", out.header.batch)) return "batch_id";
  if (!ReadText(object, "writer", out.header.writer)) return "writer";
  if (!ReadText(object, "reserved_at", out.header.reserved_at)) return "reserved_at";
  if (!ReadNumber(object, "count", out.count)) return "count";
  if (!ReadNumber(object, "bytes", out.bytes)) return "bytes";
  if (!ReadText(object, "sha256", out.sha256)) return "sha256";
  out.header.shard = static_cast<std::uint32_t>(shard);
  out.header.tombstone = kind == "tombstone";
  return {};
}

Error SlotError(std::uint32_t shard, SlotNumber slot, const std::string& what) {
  return Corrupt(SlotKey(shard, slot) + ": " + what);
}

bool HashMatches(const RawHeader& raw, std::string_view line, std::string_view body) {
  const std::size_t tail = kHashDigits + kAfterHash.size();
  if (line.size() < tail || !line.ends_with(kAfterHash)) return false;
  const std::string_view before = line.substr(0, line.size() - tail);
  return raw.sha256 == line.substr(before.size(), kHashDigits) &&
         raw.sha256 == Sha256Hex(before, body);
}

Status CheckHeader(const RawHeader& raw, std::string_view line, std::string_view body,
                   const LogId& log, std::uint32_t shard, SlotNumber slot) {
  const auto bad = [&](const std::string& what) { return SlotError(shard, slot, what); };
  if (raw.format != kSlotFormat) {
    return bad("format " + std::to_string(raw.format) + ", this program reads format " +
               std::to_string(kSlotFormat));
  }
  if (raw.header.log != log) return bad("belongs to log " + raw.header.log.ToString());
  if (raw.header.shard != shard || raw.header.slot != slot) return bad("is another slot's object");
  if (raw.bytes != body.size()) {
    return bad("has " + std::to_string(body.size()) + " bytes of events, its header says " +
               std::to_string(raw.bytes));
  }
  if (!HashMatches(raw, line, body)) return bad("checksum does not match");
  if (raw.header.tombstone && raw.count != 0) return bad("a tombstone with events");
  return Ok();
}

// Everything after the first newline, cut into lines and decoded.
Status DecodeEvents(Slot& slot, std::size_t body_offset, std::uint64_t count) {
  const std::string_view bytes = slot.bytes;
  const auto bad = [&](const std::string& what) {
    return SlotError(slot.header.shard, slot.header.slot, what);
  };
  // The checksum is not that of the header: its count must not ask for memory.
  slot.events.reserve(std::min<std::uint64_t>(count, (bytes.size() - body_offset) / kLeastLine));
  for (std::size_t at = body_offset; at < bytes.size();) {
    std::size_t end = bytes.find('\n', at);
    if (end == std::string_view::npos) return bad("the last line has no end");
    std::string_view line = bytes.substr(at, end - at);
    Result<Envelope> envelope = DecodeEnvelope(line);
    if (!envelope.ok())
      return bad("event " + std::to_string(slot.events.size()) + ": " + envelope.error().message());
    LoggedEvent event;
    event.envelope = std::move(envelope).value();
    if (event.envelope.type.kind == EventKind::kDomain) {
      Result<Outcome> outcome = DecodeOutcome(event.envelope.data);
      if (!outcome.ok()) return bad(outcome.error().message());
      event.outcome = std::move(outcome).value();
    }
    event.location.position = {slot.header.shard, slot.header.slot,
                               static_cast<std::uint32_t>(slot.events.size())};
    event.location.offset_bytes = at;
    event.location.length_bytes = static_cast<std::uint32_t>(line.size());
    event.location.crc32c = Crc32c(line);
    slot.events.push_back(std::move(event));
    at = end + 1;
  }
  if (slot.events.size() != count) {
    return bad("has " + std::to_string(slot.events.size()) + " events, its header says " +
               std::to_string(count));
  }
  return Ok();
}

}  // namespace

std::string SlotPrefix(std::uint32_t shard) {
  std::string prefix = "events/";
  AppendPadded(prefix, shard, kShardDigits);
  return prefix += '/';
}

std::string SlotKey(std::uint32_t shard, SlotNumber slot) {
  std::string key = SlotPrefix(shard);
  AppendPadded(key, slot.value, kSlotDigits);
  return key += kSuffix;
}

std::optional<SlotNumber> SlotOfKey(std::uint32_t shard, std::string_view key) {
  std::string prefix = SlotPrefix(shard);
  if (key.size() != prefix.size() + kSlotDigits + kSuffix.size()) return std::nullopt;
  if (!key.starts_with(prefix) || !key.ends_with(kSuffix)) return std::nullopt;
  std::string_view digits = key.substr(prefix.size(), kSlotDigits);
  SlotNumber slot;
  auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), slot.value);
  if (error != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return slot;
}

Slot MakeBatchSlot(const SlotHeader& header, std::vector<LoggedEvent> events) {
  std::string body;
  body.reserve(events.size() * 768);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EventLocation& location = events[i].location;
    location.offset_bytes = body.size();
    AppendEnvelope(events[i].envelope, body);
    location.length_bytes = static_cast<std::uint32_t>(body.size() - location.offset_bytes);
    location.crc32c = Crc32c(std::string_view(body).substr(location.offset_bytes));
    location.position = {header.shard, header.slot, static_cast<std::uint32_t>(i)};
    body.push_back('\n');
  }
  Slot slot;
  slot.header = header;
  slot.bytes = HeaderLine(header, events.size(), body);
  const std::size_t head_bytes = slot.bytes.size();
  for (LoggedEvent& event : events) event.location.offset_bytes += head_bytes;
  slot.bytes.append(body);
  slot.events = std::move(events);
  return slot;
}

Slot MakeTombstone(const SlotHeader& header) {
  Slot slot;
  slot.header = header;
  slot.header.tombstone = true;
  slot.bytes = HeaderLine(slot.header, 0, {});
  return slot;
}

Result<Slot> DecodeSlot(std::string bytes, const LogId& log, std::uint32_t shard,
                        SlotNumber number) {
  thread_local simdjson::dom::parser parser;
  std::size_t end = bytes.find('\n');
  if (end == std::string::npos) return SlotError(shard, number, "the header line has no end");
  simdjson::dom::element object;
  if (parser.parse(bytes.data(), end, true).get(object) != simdjson::SUCCESS) {
    return SlotError(shard, number, "the header line is not JSON");
  }
  RawHeader raw;
  std::string_view wrong = ReadHeader(object, raw);
  if (!wrong.empty()) {
    return SlotError(shard, number, "header member " + std::string(wrong) + " is missing or wrong");
  }
  const std::string_view whole = bytes;
  SAFFRON_TRY(CheckHeader(raw, whole.substr(0, end), whole.substr(end + 1), log, shard, number));
  Slot slot;
  slot.header = raw.header;
  slot.bytes = std::move(bytes);
  SAFFRON_TRY(DecodeEvents(slot, end + 1, raw.count));
  return slot;
}

}  // namespace saffron
