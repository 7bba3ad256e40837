#include "adapters/sqlite/bus_records.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace saffron::bus_records {

namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint32_t);

}  // namespace

void Encode(const BusMessage& message, std::string& out) {
  out.clear();
  PutLengthPrefixed(out, message.key);
  PutLengthPrefixed(out, message.value);
  PutVarint(out, message.headers.size());
  for (const auto& [name, value] : message.headers) {
    PutLengthPrefixed(out, name);
    PutLengthPrefixed(out, value);
  }
  PutU32BigEndian(out, Crc32c(out));
}

bool Decode(std::string_view stored, BusRecord& record) {
  if (stored.size() < kChecksumBytes) return false;
  const std::string_view bytes = stored.substr(0, stored.size() - kChecksumBytes);
  std::uint32_t checksum = 0;
  ByteReader(stored.substr(bytes.size())).ReadU32BigEndian(checksum);
  if (checksum != Crc32c(bytes)) return false;
  ByteReader reader(bytes);
  std::string_view key, value;
  std::uint64_t headers = 0;
  if (!reader.ReadLengthPrefixed(key) || !reader.ReadLengthPrefixed(value) ||
      !reader.ReadVarint(headers)) {
    return false;
  }
  record.key = key;
  record.value = value;
  record.headers.clear();
  for (; headers > 0; --headers) {
    std::string_view name, content;
    if (!reader.ReadLengthPrefixed(name) || !reader.ReadLengthPrefixed(content)) return false;
    record.headers.emplace_back(name, content);
  }
  return reader.AtEnd();
}

}  // namespace saffron::bus_records
