#include "adapters/rocksdb/registry_codec.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "testing/contract/registry_home.h"

namespace saffron::registry_codec {
namespace {

const AggregateKey kKey{AggregateType::kInstance, "db:main:Order:1"};

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (unsigned char byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

Uuid Filled(std::uint8_t byte) {
  std::array<std::uint8_t, 16> bytes;
  bytes.fill(byte);
  return Uuid(bytes);
}

EventLocation Place() { return {{1, SlotNumber(300), 2}, 70000, 512, 0xdeadbeef}; }

AggregateRow FullAggregate() {
  AggregateRow row;
  row.key = kKey;
  row.accepted = {SequenceNumber(5), Lifecycle::kPresent, {SequenceNumber(1), SequenceNumber(2)}};
  row.decided = {SequenceNumber(4),
                 Lifecycle::kPresent,
                 {SequenceNumber(1), SequenceNumber(2)},
                 SequenceNumber(3),
                 Place()};
  row.pending = PendingState{BatchId{Filled(0xbb)},
                             {SequenceNumber(6), Lifecycle::kPresent, row.accepted.scope}};
  row.mark = AdmissionMark{EventId{Filled(0xee)}, -1, 200};
  return row;
}

CommandRow FullCommand() {
  CommandRow row;
  row.id = EventId{Filled(0xee)};
  row.aggregate = kKey;
  row.number = SequenceNumber(5);
  row.type = EventType::Requested(AggregateType::kInstance, Operation::kUpdate);
  row.request_sha256.fill(0x55);
  row.batch = BatchId{Filled(0xbb)};
  row.location = Place();
  row.outcome_batch = BatchId{Filled(0xcc)};
  row.outcome = Place();
  row.outcome_rejected = true;
  return row;
}

Reservation FullReservation() {
  Reservation row;
  row.slot = SlotNumber(300);
  row.writer = "w";
  row.reserved_ms = 1;
  row.expires_ms = 64;
  row.resolver = "r";
  row.retry_after_ms = 2;
  row.aggregates = {kKey};
  row.commands = {EventId{Filled(0xee)}};
  row.outcomes = {EventId{Filled(0xdd)}};
  return row;
}

ClaimRow FullClaim() {
  ClaimRow row;
  row.aggregate = kKey;
  row.number = SequenceNumber(5);
  row.status = ClaimStatus::kFailed;
  row.owner = "o";
  row.started_ms = 1;
  row.heartbeat_ms = 2;
  row.processed_ms = 3;
  row.attempt_count = 4;
  row.last_error = "e";
  row.partition = 5;
  row.generation = 6;
  return row;
}

const std::string kPlaceHex = "01ac0202f0a2048004deadbeef";
const std::string kKeyHex = "030f64623a6d61696e3a4f726465723a31";
std::string Repeat(const char* byte, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += byte;
  return out;
}

template <class Row>
std::string Encode(void (*append)(const Row&, std::string&), const Row& row) {
  std::string bytes;
  append(row, bytes);
  return bytes;
}

TEST(RegistryCodecTest, GoldenValues) {
  EXPECT_EQ(
      Hex(Encode(AppendAggregate, FullAggregate())),
      "013f05010204010203" + kPlaceHex + Repeat("bb", 16) + "060102" + Repeat("ee", 16) + "019003");
  EXPECT_EQ(Hex(Encode(AppendAggregate, AggregateRow())),
            "01000000000000000"
            "0");
  EXPECT_EQ(Hex(Encode(AppendCommand, FullCommand())),
            "011f4d" + kKeyHex + "05" + Repeat("55", 32) + Repeat("bb", 16) + kPlaceHex +
                Repeat("cc", 16) + kPlaceHex);
  EXPECT_EQ(Hex(Encode(AppendReservation, FullReservation())),
            "01ac02"
            "0177"
            "02"
            "8001"
            "0172"
            "04"
            "01" +
                kKeyHex + "01" + Repeat("ee", 16) + "01" + Repeat("dd", 16));
  EXPECT_EQ(Hex(Encode(AppendClaim, FullClaim())), "0103" + kKeyHex +
                                                       "05"
                                                       "016f"
                                                       "020406"
                                                       "04"
                                                       "0165"
                                                       "0506");
  EXPECT_EQ(
      Hex(Encode(AppendParked, {{"h", kKey}, SequenceNumber(3), EventId{Filled(0xee)}, "r", 5})),
      "0103" + Repeat("ee", 16) + "01720a");
  EXPECT_EQ(Hex(Encode(AppendLease, {"n", "o", 7, -1})), "01016f0701");
  EXPECT_EQ(Hex(Encode(AppendPublished, {0, SlotNumber(1), {{{"t", 3}, 300}}})), "0101017403ac02");
  const ControlValue control{{LogId{Filled(0x11)}, "boot", SlotNumber(300)}, 5};
  EXPECT_EQ(Hex(Encode(AppendControl, control)), "01" + Repeat("11", 16) + "04626f6f74ac0205");
}

TEST(RegistryCodecTest, GoldenKeys) {
  EXPECT_EQ(Encode(AppendAggregateKey, kKey),
            "\x03"
            "db:main:Order:1");
  EXPECT_EQ(Hex(Encode(AppendByAggregateKey, FullCommand())),
            "0364623a6d61696e3a4f726465723a31"
            "00"
            "0000000000000005" +
                Repeat("ee", 16));
  EXPECT_EQ(Hex(Encode(AppendUndecidedKey, FullCommand())),
            "00000001"
            "000000000000012c"
            "00000002" +
                Repeat("ee", 16));
  std::string bytes;
  AppendOpenClaimKey(ClaimStatus::kFailed, {"h", EventId{Filled(0xee)}}, bytes);
  EXPECT_EQ(Hex(bytes), "036800" + Repeat("ee", 16));
  EXPECT_EQ(Hex(Encode(AppendParkKey, {"h", {AggregateType::kDatabase, "db"}})), "6800016462");
  bytes.clear();
  AppendPublishedKey(1, SlotNumber(300), bytes);
  EXPECT_EQ(Hex(bytes), "00000001000000000000012c");
}

// Every row comes back; cut short anywhere, extended, or of another format it is refused.
template <class Row>
void ExpectExact(const std::string& bytes, bool (*parse)(std::string_view, Row&), Row row,
                 const Row& expected) {
  ASSERT_TRUE(parse(bytes, row));
  EXPECT_TRUE(row == expected);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Row cut;
    EXPECT_FALSE(parse(std::string_view(bytes).substr(0, size), cut)) << size;
  }
  Row other;
  EXPECT_FALSE(parse(bytes + '\0', other));
  std::string newer = bytes;
  newer[0] = 2;
  EXPECT_FALSE(parse(newer, other));
}

// A row of the key's part alone, as a reader has it before it parses.
template <class Row>
Row Blank(const Row& full) {
  Row row;
  if constexpr (requires { row.key; }) row.key = full.key;
  if constexpr (requires { row.id; }) row.id = full.id;
  if constexpr (requires { row.name; }) row.name = full.name;
  if constexpr (requires { row.shard; }) row.shard = full.shard;
  if constexpr (requires { row.ends; }) row.slot = full.slot;
  return row;
}

TEST(RegistryCodecTest, RowsComeBackWholeOrNotAtAll) {
  auto expect = [](auto append, auto parse, const auto& row) {
    ExpectExact(Encode(append, row), parse, Blank(row), row);
  };
  expect(AppendAggregate, ParseAggregate, FullAggregate());
  expect(AppendCommand, ParseCommand, FullCommand());
  expect(AppendReservation, ParseReservation, FullReservation());
  expect(AppendClaim, ParseClaim, FullClaim());
  expect(AppendParked, ParseParked,
         ParkedRow{{"h", kKey}, SequenceNumber(3), EventId{Filled(0xee)}, "r", INT64_MIN});
  expect(AppendLease, ParseLease, LeaseRow{"n", "o", UINT64_MAX, INT64_MAX});
  expect(AppendPublished, ParsePublished,
         PublishedRow{0, SlotNumber(1), {{{"t", 3}, 300}, {{"u", 0}, UINT64_MAX}}});
  expect(AppendControl, ParseControl,
         ControlValue{{LogId{Filled(0x11)}, "boot", SlotNumber(300)}, 5});
}

TEST(RegistryCodecTest, EveryEventTypeHasItsByte) {
  for (auto aggregate : {AggregateType::kDatabase, AggregateType::kOntologyClass,
                         AggregateType::kInstance, AggregateType::kOntologyHead}) {
    for (auto kind : {EventKind::kCommand, EventKind::kDomain}) {
      for (auto operation : {Operation::kCreate, Operation::kUpdate, Operation::kDelete}) {
        for (bool rejected : {false, true}) {
          CommandRow row = FullCommand();
          row.type = {kind, aggregate, operation, rejected};
          CommandRow read;
          read.id = row.id;
          ASSERT_TRUE(ParseCommand(Encode(AppendCommand, row), read));
          EXPECT_EQ(read, row);
        }
      }
    }
  }
}

// A count that the rest of the bytes cannot hold must not reserve memory.
TEST(RegistryCodecTest, AHugeCountIsRefused) {
  std::string bytes = Encode(AppendPublished, {0, SlotNumber(1), {}});
  bytes.back() = '\x7f';
  PublishedRow row;
  EXPECT_FALSE(ParsePublished(bytes, row));
}

}  // namespace
}  // namespace saffron::registry_codec
