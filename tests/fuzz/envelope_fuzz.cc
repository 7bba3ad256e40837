// Envelopes, read by simdjson, against RapidJSON; and the data of commands and outcomes.
#include "domain/envelope.h"

#include <simdjson.h>

#include "domain/instance.h"
#include "domain/json_text.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

std::string TextAt(const JsonNode& object, std::string_view name) {
  const JsonNode* node = object.Find(name);
  Require(node != nullptr, "a member that was read is there");
  return node->text;
}

void CheckAgainst(const JsonNode& line, const Envelope& envelope) {
  const JsonNode& metadata = *line.Find("metadata");
  auto same = [](std::string_view text, std::string_view expected) {
    Require(text == expected, "simdjson and RapidJSON read the same");
  };
  Require(Uuid::Parse(TextAt(line, "event_id")) == envelope.event_id.uuid, "the event id is read");
  same(TextAt(line, "event_type"), envelope.type.Name());
  same(TextAt(line, "aggregate_type"), AggregateTypeName(envelope.aggregate.type));
  same(TextAt(line, "aggregate_id"), envelope.aggregate.id);
  same(TextAt(line, "occurred_at"), envelope.occurred_at);
  same(TextAt(line, "actor"), envelope.actor);
  const std::string number = TextAt(line, "sequence_number");
  same(number == "-0" ? "0" : number, std::to_string(envelope.sequence_number.value));
  same(TextAt(metadata, "service"), envelope.metadata.service);
  same(TextAt(metadata, "command_type"), envelope.metadata.command_type.Name());
  Require(metadata.Find("ontology")->elements.size() == envelope.metadata.ontology.size(),
          "every stamp is read");
  if (const JsonNode* trace = metadata.Find("traceparent")) {
    same(trace->text, envelope.metadata.traceparent);
  }
  const auto data = ReadJson(envelope.data);
  Require(data && *data == *line.Find("data"), "data keeps its bytes");
}

void CheckEnvelope(std::string_view bytes) {
  const auto envelope = DecodeEnvelope(bytes);
  if (!envelope.ok()) return Require(envelope.Is(Code::kCorrupt), "what is no envelope is damaged");
  const std::string encoded = EncodeEnvelope(*envelope);
  const auto again = DecodeEnvelope(encoded);
  Require(again.ok() && *again == *envelope, "an envelope comes back as it was");
  Envelope bare = *envelope;
  bare.data = "{}";
  const auto written = ReadJson(EncodeEnvelope(bare));
  Require(written.has_value(), "an envelope is written as JSON");
  CheckAgainst(*written, bare);
  // The inside of data and of unknown members is not looked at when an envelope is read.
  if (const auto line = ReadJson(bytes)) CheckAgainst(*line, *envelope);
}

void CheckOutcome(std::string_view bytes, bool utf8) {
  const auto outcome = DecodeOutcome(bytes);
  if (!outcome.ok()) return Require(outcome.Is(Code::kCorrupt), "what is no outcome is damaged");
  const std::string encoded = EncodeOutcome(*outcome);
  const auto again = DecodeOutcome(encoded);
  Require(again.ok(), "an outcome is written so that it can be read");
  if (utf8) Require(*again == *outcome, "an outcome comes back as it was");
}

void CheckCommand(EventType type, std::string_view bytes) {
  const auto data = DecodeCommandData(type, bytes);
  if (!data.ok()) return Require(data.Is(Code::kCorrupt), "what is no command is damaged");
  const auto again = DecodeCommandData(type, EncodeCommandData(type, *data));
  Require(again.ok() && *again == *data, "the data of a command comes back as it was");
}

// Bodies of requests are UTF-8 before they have a hash; of other bytes the canonical form may not
// be canonical.
void CheckHash(EventType type, std::string_view bytes, bool utf8) {
  const AggregateKey key{type.aggregate, "db"};
  const auto hash = RequestHash(type, key, SequenceNumber(7), bytes, 0);
  std::string canonical;
  Require(hash.ok() == json::AppendCanonical(canonical, bytes), "what is JSON has a hash");
  if (!hash.ok()) return;
  Require(!utf8 || *RequestHash(type, key, SequenceNumber(7), canonical, 0) == *hash,
          "the hash is that of the canonical form");
  Require(*RequestHash(type, key, SequenceNumber(8), bytes, 0) != *hash,
          "the expected number is part of the hash");
  Require(*RequestHash(type, key, SequenceNumber(7), bytes, 1) != *hash,
          "the size of the transaction is part of the hash");
}

}  // namespace

void FuzzEnvelope(std::string_view bytes) {
  CheckEnvelope(bytes);
  const bool utf8 = simdjson::validate_utf8(bytes.data(), bytes.size());
  CheckOutcome(bytes, utf8);
  for (auto aggregate :
       {AggregateType::kDatabase, AggregateType::kOntologyClass, AggregateType::kInstance}) {
    for (auto operation : {Operation::kCreate, Operation::kUpdate, Operation::kDelete}) {
      CheckCommand(EventType::Requested(aggregate, operation), bytes);
    }
  }
  CheckHash(EventType::Requested(AggregateType::kDatabase, Operation::kCreate), bytes, utf8);
}

}  // namespace saffron::fuzz
