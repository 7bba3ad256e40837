#include "domain/envelope.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <fstream>
#include <sstream>

#include "domain/json_text.h"

namespace saffron {
namespace {

EventId IdOf(std::string_view name) { return EventId(Uuid::FromName(Uuid::NamespaceUrl(), name)); }

Envelope Sample() {
  Envelope envelope;
  envelope.event_id = IdOf("command");
  envelope.type = EventType::Requested(AggregateType::kInstance, Operation::kCreate);
  envelope.aggregate = AggregateKey::Instance("logistics", "main", "Order", "ORD:1");
  envelope.occurred_at = "2026-01-02T03:04:05.678Z";
  envelope.actor = "alice \"the\" \xC3\xA9";
  envelope.data = R"({"document": {"order_id":"ORD:1","weight":1.50}})";
  envelope.metadata.service = "oms";
  envelope.metadata.command_id = envelope.event_id;
  envelope.metadata.command_type = envelope.type;
  envelope.metadata.request_sha256 = Sha256("request");
  envelope.metadata.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  envelope.metadata.ontology = {
      {AggregateKey::Database("logistics"), SequenceNumber(1), SequenceNumber(1)},
      {AggregateKey::OntologyClass("logistics", "main", "Order"), SequenceNumber(3),
       SequenceNumber(4)}};
  envelope.metadata.transaction = TransactionPart{IdOf("transaction"), 2, 5};
  envelope.sequence_number = SequenceNumber(18446744073709551615u);
  return envelope;
}

Envelope SampleOutcome() {
  Envelope envelope = Sample();
  envelope.type = EventType::Done(AggregateType::kOntologyClass, Operation::kUpdate);
  envelope.aggregate = AggregateKey::OntologyClass("logistics", "main", "Order");
  envelope.metadata.command_type =
      EventType::Requested(AggregateType::kOntologyClass, Operation::kUpdate);
  envelope.event_id = OutcomeId(envelope.metadata.command_id, envelope.type, envelope.aggregate);
  envelope.metadata.service = "ontology-worker";
  envelope.metadata.traceparent.clear();
  envelope.metadata.ontology.clear();
  envelope.metadata.ontology_head = SequenceNumber(7);
  envelope.metadata.transaction.reset();
  envelope.sequence_number = SequenceNumber(4);
  Outcome outcome;
  outcome.lifecycle = Lifecycle::kPresent;
  outcome.incarnation = SequenceNumber(3);
  outcome.scope = {SequenceNumber(1), SequenceNumber(0)};
  outcome.document = R"({"id":"Order"})";
  outcome.basis = Position{0, SlotNumber(17), 3};
  envelope.data = EncodeOutcome(outcome);
  return envelope;
}

std::string Golden(const std::string& name) {
  std::ifstream file(std::string(SAFFRON_GOLDEN_DIR) + "/" + name);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

// The format of the log: these bytes never change.
TEST(EnvelopeGolden, CommandBytes) {
  std::string golden = Golden("envelope_command.json");
  EXPECT_EQ(EncodeEnvelope(Sample()) + "\n", golden);
  auto decoded = DecodeEnvelope(golden);
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(*decoded, Sample());
}

TEST(EnvelopeGolden, OutcomeBytes) {
  std::string golden = Golden("envelope_outcome.json");
  EXPECT_EQ(EncodeEnvelope(SampleOutcome()) + "\n", golden);
  auto decoded = DecodeEnvelope(golden);
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(*decoded, SampleOutcome());
}

std::string ErrorOf(std::string line) {
  auto decoded = DecodeEnvelope(line);
  if (decoded.ok()) return "ok";
  EXPECT_EQ(decoded.code(), Code::kCorrupt);
  return decoded.error().message();
}

std::string Replaced(std::string_view from, std::string_view to) {
  std::string line = EncodeEnvelope(Sample());
  std::size_t at = line.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) line.replace(at, from.size(), to);
  return line;
}

TEST(EnvelopeDecode, KeepsDataByteForByteAndToleratesUnknownMembers) {
  auto decoded = DecodeEnvelope(Replaced("{\"event_id\"", "{ \"new\":[{\"x\":1}], \"event_id\""));
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_EQ(*decoded, Sample());
  decoded = DecodeEnvelope(Replaced("1.50}}", "1.50}} "));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->data, Sample().data);
}

TEST(EnvelopeDecode, NamesTheFieldThatIsWrong) {
  struct Case {
    std::string_view from, to, expected;
  };
  const Case cases[] = {
      {"\"event_id\"", "\"event_ix\"", "envelope: event_id: missing"},
      {"\"actor\":", "\"actor\":1,\"x\":", "envelope: actor: not a string"},
      {"\"schema_version\":\"1\"", "\"schema_version\":\"2\"",
       "envelope: schema_version: not \"1\""},
      {"\"kind\":\"command\"", "\"kind\":\"domain\"",
       "envelope: metadata.kind: contradicts event_type"},
      {"\"instance_commands\"", "\"instance_events\"",
       "envelope: metadata.kafka_topic: contradicts event_type"},
      {"\"aggregate_type\":\"Instance\"", "\"aggregate_type\":\"Database\"",
       "envelope: aggregate_type: contradicts event_type"},
      {"\"aggregate_id\":\"logistics:main:Order:ORD:1\"", "\"aggregate_id\":\"logistics\"",
       "envelope: aggregate_id: has not the shape of its aggregate_type"},
      {"\"event_type\":\"CREATE_INSTANCE_REQUESTED\"", "\"event_type\":\"X\"",
       "envelope: event_type: unknown"},
      {"\"data\":{", "\"data\":[{", "envelope: data: not an object"},
      {"18446744073709551615", "-1", "envelope: sequence_number: not an unsigned integer"},
      {"\"command_type\":\"CREATE", "\"command_type\":\"DELETE",
       "envelope: metadata.command_type: contradicts event_type"},
      {"\"index\":2", "\"index\":4294967296", "envelope: metadata.transaction.index: too large"},
      {"[\"Database\",", "[\"Instance\",", "envelope: metadata.ontology: an id of the wrong shape"},
      {",1,1],", ",1],", "envelope: metadata.ontology: a stamp of less than four parts"},
      {"\"occurred_at\"", "\"event_id\":\"00000000-0000-0000-0000-000000000000\",\"occurred_at\"",
       "envelope: event_id: twice"},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorOf(Replaced(c.from, c.to)), c.expected);
}

TEST(EnvelopeDecode, RefusesEveryTruncationAndTrailingBytes) {
  std::string line = EncodeEnvelope(Sample());
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_NE(ErrorOf(line.substr(0, size)), "ok") << size;
  }
  EXPECT_NE(ErrorOf(line + "{}"), "ok");
  EXPECT_NE(ErrorOf(line + "x"), "ok");
}

TEST(EnvelopeDecode, SurvivesAnyFlippedByte) {
  std::string line = EncodeEnvelope(Sample());
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (int mask : {0x01, 0x02, 0x80}) {
      std::string broken = line;
      broken[i] = static_cast<char>(broken[i] ^ mask);
      auto decoded = DecodeEnvelope(broken);
      if (!decoded.ok()) {
        EXPECT_EQ(decoded.code(), Code::kCorrupt);
      }
    }
  }
}

TEST(EnvelopeEncode, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  Envelope envelope = Sample();
  envelope.actor = "a\xFF\xC3";
  auto decoded = DecodeEnvelope(EncodeEnvelope(envelope));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->actor, "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

rc::Gen<std::string> Text() {
  return rc::gen::map(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 0x3000)),
                      [](std::vector<int> codes) {
                        std::string text;
                        for (int code : codes) {
                          char hex[8];
                          std::snprintf(hex, sizeof hex, "\\u%04x", static_cast<unsigned>(code));
                          text.append(hex);
                        }
                        std::string raw = "\"" + text + "\"";
                        std::string scratch;
                        return std::string(json::TextOf({json::Kind::kString, raw}, scratch));
                      });
}

TEST(EnvelopeProperty, RoundTrip) {
  EXPECT_TRUE(rc::check("decode(encode(x)) = x", [] {
    Envelope envelope = *rc::gen::arbitrary<bool>() ? Sample() : SampleOutcome();
    envelope.actor = *Text();
    envelope.occurred_at = *Text();
    envelope.metadata.service = *Text();
    envelope.metadata.traceparent = *Text();
    envelope.sequence_number = SequenceNumber(*rc::gen::arbitrary<std::uint64_t>());
    envelope.metadata.ontology_head = SequenceNumber(*rc::gen::arbitrary<std::uint64_t>());
    if (envelope.aggregate.type == AggregateType::kInstance) {
      envelope.aggregate.id = "db:main:Class:" + *Text() + "x";
    }
    std::string line = EncodeEnvelope(envelope);
    RC_ASSERT(line.find('\n') == std::string::npos);
    auto decoded = DecodeEnvelope(line);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == envelope);
  }));
}

TEST(OutcomeCodec, RoundTripsAndRefusesWhatContradicts) {
  Outcome outcome;
  outcome.incarnation = SequenceNumber(3);
  outcome.scope = {SequenceNumber(1), SequenceNumber(2)};
  outcome.basis = Position{0, SlotNumber(9), 1};
  outcome.reason_code = "not_found";
  outcome.reason_message = "no \"such\" thing";
  auto absent = DecodeOutcome(EncodeOutcome(outcome));
  ASSERT_TRUE(absent.ok()) << absent.error().ToString();
  EXPECT_EQ(*absent, outcome);
  outcome.lifecycle = Lifecycle::kPresent;
  EXPECT_TRUE(DecodeOutcome(EncodeOutcome(outcome)).Is(Code::kCorrupt));
  outcome.document = R"({"a":[1, 2]})";
  auto present = DecodeOutcome(EncodeOutcome(outcome));
  ASSERT_TRUE(present.ok());
  EXPECT_EQ(*present, outcome);
  EXPECT_TRUE(DecodeOutcome("{}").Is(Code::kCorrupt));
  EXPECT_TRUE(DecodeOutcome("[]").Is(Code::kCorrupt));
}

TEST(CommandCodec, RoundTrips) {
  auto type = EventType::Requested(AggregateType::kInstance, Operation::kUpdate);
  CommandData data;
  data.body = R"({"a": 1.0})";
  data.metadata = R"({"source":"x"})";
  EXPECT_EQ(EncodeCommandData(type, data), R"({"patch":{"a": 1.0},"metadata":{"source":"x"}})");
  auto decoded = DecodeCommandData(type, EncodeCommandData(type, data));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, data);

  auto remove = EventType::Requested(AggregateType::kOntologyClass, Operation::kDelete);
  CommandData forced;
  forced.force = true;
  EXPECT_EQ(EncodeCommandData(remove, forced), R"({"force":true})");
  EXPECT_EQ(*DecodeCommandData(remove, R"({"force":true})"), forced);
  EXPECT_TRUE(DecodeCommandData(remove, "{}").Is(Code::kCorrupt));
  EXPECT_TRUE(DecodeCommandData(type, R"({"patch":1})").Is(Code::kCorrupt));
  EXPECT_TRUE(DecodeCommandData(type, "{}").Is(Code::kCorrupt));
  auto database = EventType::Requested(AggregateType::kDatabase, Operation::kCreate);
  EXPECT_EQ(DecodeCommandData(database, R"({"description":"x"})")->body, "\"x\"");
  EXPECT_EQ(*DecodeCommandData(database, "{}"), CommandData());
}

TEST(RequestHash, DependsOnMeaningNotOnSpelling) {
  auto type = EventType::Requested(AggregateType::kInstance, Operation::kCreate);
  auto key = AggregateKey::Instance("db1", "main", "Order", "1");
  auto hash = [&](std::string_view data, std::optional<SequenceNumber> expected = {},
                  std::uint32_t size = 0) { return *RequestHash(type, key, expected, data, size); };
  Sha256Digest base = hash(R"({"a":1,"b":"\u0041"})");
  EXPECT_EQ(hash(" { \"b\" : \"A\" , \"a\" : 1 } "), base);
  EXPECT_NE(hash(R"({"a":1.0,"b":"A"})"), base);
  EXPECT_NE(hash(R"({"a":1,"b":"A"})", SequenceNumber(0)), base);
  EXPECT_NE(hash(R"({"a":1,"b":"A"})", {}, 2), base);
  EXPECT_FALSE(RequestHash(type, key, {}, "{", 0).ok());
  // The hash is stored: it must be the same for ever.
  EXPECT_EQ(HexOf({reinterpret_cast<const char*>(base.data()), base.size()}),
            "f034da2bc73ccae0c48d50a5a2e33775c6609eaa81f874c7e6de163e3bbe6ebd");
}

}  // namespace
}  // namespace saffron
