// The rows of the embedded registry. The first byte of an input says of which kind it is.
#include "adapters/rocksdb/registry_codec.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

namespace codec = registry_codec;

// `canonical`: a row has one encoding, so that accepted bytes are those that would be written.
template <class Row>
void CheckRow(std::string_view bytes, bool (*parse)(std::string_view, Row&),
              void (*append)(const Row&, std::string&), bool canonical) {
  Row row;
  if (!parse(bytes, row)) return;
  std::string encoded;
  append(row, encoded);
  if (canonical) Require(encoded == bytes, "a row has one encoding");
  Row again;
  Require(parse(encoded, again) && again == row, "a row comes back as it was");
}

template <class Key>
void CheckKey(std::string_view bytes, bool (*parse)(std::string_view, Key&),
              std::string (*encode)(const Key&)) {
  Key key;
  if (parse(bytes, key)) Require(encode(key) == bytes, "a key has one encoding");
}

std::string EncodeAggregateKey(const AggregateKey& key) {
  std::string out;
  codec::AppendAggregateKey(key, out);
  return out;
}
std::string EncodeClaimKey(const ClaimKey& key) {
  std::string out;
  codec::AppendClaimKey(key.handler, key.event, out);
  return out;
}
std::string EncodeParkKey(const ParkKey& key) {
  std::string out;
  codec::AppendParkKey(key, out);
  return out;
}

void CheckPublishedKey(std::string_view bytes) {
  std::uint32_t shard = 0;
  SlotNumber slot;
  if (!codec::ParsePublishedKey(bytes, shard, slot)) return;
  std::string encoded;
  codec::AppendPublishedKey(shard, slot, encoded);
  Require(encoded == bytes, "a key has one encoding");
}

}  // namespace

void FuzzRegistryRows(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view row = bytes.substr(1);
  switch (static_cast<unsigned char>(bytes[0]) % 9) {
    case 0: return CheckRow(row, codec::ParseControl, codec::AppendControl, true);
    case 1: return CheckRow(row, codec::ParseAggregate, codec::AppendAggregate, false);
    case 2: return CheckRow(row, codec::ParseCommand, codec::AppendCommand, false);
    case 3: return CheckRow(row, codec::ParseReservation, codec::AppendReservation, true);
    case 4: return CheckRow(row, codec::ParseClaim, codec::AppendClaim, true);
    case 5: return CheckRow(row, codec::ParseParked, codec::AppendParked, true);
    case 6: return CheckRow(row, codec::ParseLease, codec::AppendLease, true);
    case 7: return CheckRow(row, codec::ParsePublished, codec::AppendPublished, false);
    default: break;
  }
  CheckKey(row, codec::ParseAggregateKey, EncodeAggregateKey);
  CheckKey(row, codec::ParseClaimKey, EncodeClaimKey);
  CheckKey(row, codec::ParseParkKey, EncodeParkKey);
  CheckPublishedKey(row);
}

}  // namespace saffron::fuzz
