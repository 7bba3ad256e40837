#include "eventlog/by_date_index.h"

#include <charconv>
#include <cstdio>

#include "domain/json_text.h"

namespace saffron {

void ByDateRun::Add(const Slot& slot) {
  SAFFRON_ASSERT(slots_.empty() || slots_.back().slot.Next() == slot.number());
  slots_.push_back({slot.header.shard, slot.number(), slot.header.reserved_at, slot.events.size()});
}

SlotNumber ByDateRun::LastOf(std::string_view json, std::uint32_t shard) {
  constexpr std::string_view kName = "\"to_slot\":";
  const std::size_t at = json.find(kName);
  if (at == std::string_view::npos) return SlotNumber();
  std::uint64_t to = 0;
  std::from_chars(json.data() + at + kName.size(), json.data() + json.size(), to);
  const bool named = json.find(SlotKey(shard, SlotNumber(to))) != std::string_view::npos;
  return named ? SlotNumber(to) : SlotNumber();
}

ByDateRun ByDateRun::From(SlotNumber slot) const {
  ByDateRun part;
  for (const Entry& entry : slots_) {
    if (slot <= entry.slot) part.slots_.push_back(entry);
  }
  return part;
}

std::string ByDateRun::Key() const {
  SAFFRON_ASSERT(!empty());
  const Entry& first = slots_.front();
  WallTime at = ParseRfc3339(first.reserved_at).value_or(WallTime{});
  if (at.unix_ms < 0) at = WallTime{};
  const std::string text = at.ToRfc3339();
  char name[64];
  std::snprintf(name, sizeof name, "%013lld_%03u_%020llu.json", static_cast<long long>(at.unix_ms),
                first.shard, static_cast<unsigned long long>(first.slot.value));
  return "indexes/by-date/" + text.substr(0, 4) + "/" + text.substr(5, 2) + "/" +
         text.substr(8, 2) + "/" + name;
}

std::string ByDateRun::Json() const {
  SAFFRON_ASSERT(!empty());
  std::string out = "{\"shard\":" + std::to_string(slots_.front().shard) +
                    ",\"from_slot\":" + std::to_string(slots_.front().slot.value) +
                    ",\"to_slot\":" + std::to_string(slots_.back().slot.value) + ",\"slots\":[";
  Position first, last;
  for (const Entry& entry : slots_) {
    if (out.back() != '[') out.push_back(',');
    out.append("{\"key\":");
    json::AppendString(out, SlotKey(entry.shard, entry.slot));
    out.append(",\"events\":").append(std::to_string(entry.events)).append("}");
    if (entry.events == 0) continue;
    if (first.slot.value == 0) first = {entry.shard, entry.slot, 0};
    last = {entry.shard, entry.slot, static_cast<std::uint32_t>(entry.events - 1)};
  }
  out.push_back(']');
  if (first.slot.value != 0) {
    out.append(",\"first_position\":\"").append(first.ToString());
    out.append("\",\"last_position\":\"").append(last.ToString()).append("\"");
  }
  return out.append("}\n");
}

}  // namespace saffron
