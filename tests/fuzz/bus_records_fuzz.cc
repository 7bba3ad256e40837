// Records of the embedded bus, whose checksum is also put right; references of the embedded graph;
// dead letters. Input of a letter: five texts.
#include "adapters/sqlite/bus_records.h"

#include "adapters/sqlite/graph_rows.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "domain/json_text.h"
#include "services/worker/dead_letter.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

constexpr std::size_t kChecksumBytes = 4;

std::string Repaired(std::string_view bytes) {
  std::string stored(bytes.substr(0, bytes.size() - std::min(bytes.size(), kChecksumBytes)));
  PutU32BigEndian(stored, Crc32c(stored));
  return stored;
}

void CheckRecord(std::string stored) {
  BusRecord record;
  if (!bus_records::Decode(stored, record)) return;
  std::string encoded;
  bus_records::Encode({"topic", record.key, record.value, record.headers}, encoded);
  Require(encoded == stored, "a record has one encoding");
  // Another place and bit for every record.
  const std::size_t turn = Crc32c(stored) ^ stored.size();
  stored[turn % stored.size()] ^= static_cast<char>(1u << (turn >> 8 & 7));
  Require(!bus_records::Decode(stored, record), "one flipped bit is found");
}

void CheckReferences(std::string_view bytes) {
  const auto references = graph_rows::DecodeReferences(bytes);
  if (!references.ok()) return Require(references.Is(Code::kCorrupt), "what is none is damaged");
  Require(graph_rows::EncodeReferences(*references) == bytes, "references have one encoding");
}

void CheckLetter(std::string_view bytes) {
  const auto parts = SplitParts(bytes, 5);
  RefusedEvent refused;
  refused.aggregate = {AggregateType::kInstance, std::string(parts[0])};
  refused.number = SequenceNumber(parts[1].size());
  refused.position = parts[2];
  refused.sink = parts[3];
  refused.reason = parts[4];
  const BusMessage letter = DeadLetterOf(refused);
  const auto object = ReadJson(letter.value);
  Require(object && object->members.size() == letter.headers.size(), "a letter is JSON");
  for (std::size_t i = 0; i < letter.headers.size(); ++i) {
    const auto& [name, value] = object->members[i];
    std::string text;
    json::AppendString(text, letter.headers[i].second);
    Require(name == letter.headers[i].first, "a header is a member");
    Require(value.text == ReadJson(text)->text, "and says the same");
  }
  BusRecord record;
  std::string stored;
  bus_records::Encode(letter, stored);
  Require(bus_records::Decode(stored, record) && record.key == letter.key &&
              record.value == letter.value && record.headers == letter.headers,
          "a message comes back as it was");
}

}  // namespace

void FuzzBusRecords(std::string_view bytes) {
  CheckRecord(std::string(bytes));
  CheckRecord(Repaired(bytes));
  CheckReferences(bytes);
  CheckLetter(bytes);
}

}  // namespace saffron::fuzz
