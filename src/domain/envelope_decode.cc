// Reading envelopes by simdjson on-demand: it parses what is asked for and skips the rest, so the
// inside of `data` is found but not checked.
#include <simdjson.h>

#include <array>
#include <cstring>

#include "domain/envelope.h"

namespace saffron {
namespace {

namespace ondemand = simdjson::ondemand;

// One reader a thread: simdjson's parser and a copy of the line with the padding it needs.
struct Reader {
  ondemand::parser parser;
  std::string padded;
};

Error BadField(std::string_view field, std::string_view problem) {
  std::string message = "envelope: ";
  message.append(field).append(": ").append(problem);
  return Corrupt(std::move(message));
}

Status ReadText(ondemand::value& value, std::string_view field, std::string_view& out) {
  if (value.get_string().get(out) != simdjson::SUCCESS) return BadField(field, "not a string");
  return Ok();
}

Status ReadText(ondemand::value& value, std::string_view field, std::string& out) {
  std::string_view text;
  SAFFRON_TRY(ReadText(value, field, text));
  out.assign(text);
  return Ok();
}

template <class Number>
Status ReadNumber(ondemand::value& value, std::string_view field, Number& out) {
  std::uint64_t number = 0;
  if (value.get_uint64().get(number) != simdjson::SUCCESS) {
    return BadField(field, "not an unsigned integer");
  }
  out = static_cast<Number>(number);
  if (static_cast<std::uint64_t>(out) != number) return BadField(field, "too large");
  return Ok();
}

template <class Tag>
Status ReadNumber(ondemand::value& value, std::string_view field, Ordinal<Tag>& out) {
  return ReadNumber(value, field, out.value);
}

Status ReadId(ondemand::value& value, std::string_view field, EventId& out) {
  std::string_view text;
  SAFFRON_TRY(ReadText(value, field, text));
  auto uuid = Uuid::Parse(text);
  if (!uuid) return BadField(field, "not a UUID");
  out = EventId(*uuid);
  return Ok();
}

Status ReadEventType(ondemand::value& value, std::string_view field, EventType& out) {
  std::string_view text;
  SAFFRON_TRY(ReadText(value, field, text));
  auto type = EventType::Parse(text);
  if (!type) return BadField(field, "unknown");
  out = *type;
  return Ok();
}

Status ReadAggregateType(ondemand::value& value, std::string_view field, AggregateType& out) {
  std::string_view text;
  SAFFRON_TRY(ReadText(value, field, text));
  auto type = ParseAggregateType(text);
  if (!type || *type == AggregateType::kOntologyHead) return BadField(field, "unknown");
  out = *type;
  return Ok();
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Status ReadDigest(ondemand::value& value, std::string_view field, Sha256Digest& out) {
  std::string_view text;
  SAFFRON_TRY(ReadText(value, field, text));
  if (text.size() != 2 * out.size()) return BadField(field, "not 64 hexadecimal digits");
  for (std::size_t i = 0; i < out.size(); ++i) {
    int high = HexDigit(text[2 * i]);
    int low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return BadField(field, "not 64 hexadecimal digits");
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return Ok();
}

// Which of a list of names a key is; the size of the list for another.
template <std::size_t N>
std::size_t IndexOf(const std::array<std::string_view, N>& names, std::string_view key,
                    std::size_t hint) {
  if (hint < N && names[hint] == key) return hint;
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == key) return i;
  }
  return N;
}

// Calls read(index, value) for each known member of an object and skips the others. Each may come
// once; those of the mask `required` must come.
template <std::size_t N, class Read>
Status ReadMembers(ondemand::object object, std::string_view within,
                   const std::array<std::string_view, N>& names, unsigned required, Read read) {
  unsigned seen = 0;
  std::size_t next = 0;
  for (auto item : object) {
    ondemand::field field;
    std::string_view key;
    if (std::move(item).get(field) != simdjson::SUCCESS ||
        field.unescaped_key().get(key) != simdjson::SUCCESS) {
      return BadField(within, "not a JSON object");
    }
    std::size_t index = IndexOf(names, key, next);
    if (index == N) continue;
    if ((seen & 1u << index) != 0) return BadField(names[index], "twice");
    seen |= 1u << index;
    next = index + 1;
    SAFFRON_TRY(read(index, field.value()));
  }
  for (std::size_t i = 0; i < N; ++i) {
    if ((required & ~seen & 1u << i) != 0) return BadField(names[i], "missing");
  }
  return Ok();
}

Status ReadObject(ondemand::value& value, std::string_view field, ondemand::object& out) {
  if (value.get_object().get(out) != simdjson::SUCCESS) return BadField(field, "not an object");
  return Ok();
}

Status ReadStamp(ondemand::array array, std::string_view field, OntologyStamp& out) {
  std::size_t count = 0;
  for (auto item : array) {
    ondemand::value value;
    if (std::move(item).get(value) != simdjson::SUCCESS) return BadField(field, "not JSON");
    switch (count++) {
      case 0: SAFFRON_TRY(ReadAggregateType(value, field, out.aggregate.type)); break;
      case 1: SAFFRON_TRY(ReadText(value, field, out.aggregate.id)); break;
      case 2: SAFFRON_TRY(ReadNumber(value, field, out.incarnation)); break;
      case 3: SAFFRON_TRY(ReadNumber(value, field, out.number)); break;
      default: return BadField(field, "a stamp of more than four parts");
    }
  }
  if (count != 4) return BadField(field, "a stamp of less than four parts");
  if (!SplitAggregateId(out.aggregate).ok()) return BadField(field, "an id of the wrong shape");
  return Ok();
}

Status ReadStamps(ondemand::value& value, std::string_view field, std::vector<OntologyStamp>& out) {
  ondemand::array stamps;
  if (value.get_array().get(stamps) != simdjson::SUCCESS) return BadField(field, "not an array");
  for (auto item : stamps) {
    ondemand::array parts;
    if (std::move(item).get_array().get(parts) != simdjson::SUCCESS) {
      return BadField(field, "a stamp is not an array");
    }
    OntologyStamp& stamp = out.emplace_back();
    SAFFRON_TRY(ReadStamp(parts, field, stamp));
    if (stamp.aggregate.type == AggregateType::kInstance) {
      return BadField(field, "a stamp of an instance");
    }
  }
  return Ok();
}

Status ReadTransaction(ondemand::value& value, std::optional<TransactionPart>& out) {
  static constexpr std::array<std::string_view, 3> kNames = {"id", "index", "size"};
  ondemand::object object;
  SAFFRON_TRY(ReadObject(value, "metadata.transaction", object));
  TransactionPart part;
  auto read = [&part](std::size_t index, ondemand::value member) -> Status {
    switch (index) {
      case 0: return ReadId(member, "metadata.transaction.id", part.id);
      case 1: return ReadNumber(member, "metadata.transaction.index", part.index);
      default: return ReadNumber(member, "metadata.transaction.size", part.size);
    }
  };
  SAFFRON_TRY(ReadMembers(object, "metadata.transaction", kNames, 0b111, read));
  out = part;
  return Ok();
}

// What is derived from the type and stands in the text for readers that know no types.
struct Derived {
  std::string_view kind, topic, schema_version;
};

Status ReadMetadata(ondemand::value& value, EventMetadata& out, Derived& derived) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "kind",           "kafka_topic", "service",  "command_id",    "command_type",
      "request_sha256", "traceparent", "ontology", "ontology_head", "transaction"};
  ondemand::object object;
  SAFFRON_TRY(ReadObject(value, "metadata", object));
  auto read = [&](std::size_t index, ondemand::value member) -> Status {
    switch (index) {
      case 0: return ReadText(member, "metadata.kind", derived.kind);
      case 1: return ReadText(member, "metadata.kafka_topic", derived.topic);
      case 2: return ReadText(member, "metadata.service", out.service);
      case 3: return ReadId(member, "metadata.command_id", out.command_id);
      case 4: return ReadEventType(member, "metadata.command_type", out.command_type);
      case 5: return ReadDigest(member, "metadata.request_sha256", out.request_sha256);
      case 6: return ReadText(member, "metadata.traceparent", out.traceparent);
      case 7: return ReadStamps(member, "metadata.ontology", out.ontology);
      case 8: return ReadNumber(member, "metadata.ontology_head", out.ontology_head);
      default: return ReadTransaction(member, out.transaction);
    }
  };
  return ReadMembers(object, "metadata", kNames, 0b0010111111, read);
}

// The object as it stands in the line.
Status ReadData(ondemand::value& value, std::string& out) {
  ondemand::object object;
  SAFFRON_TRY(ReadObject(value, "data", object));
  std::string_view raw;
  if (object.raw_json().get(raw) != simdjson::SUCCESS) return BadField("data", "not an object");
  out.assign(raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1));
  return Ok();
}

Status CheckConsistency(const Envelope& envelope, const Derived& derived) {
  const EventMetadata& metadata = envelope.metadata;
  bool command = envelope.type.kind == EventKind::kCommand;
  if (derived.schema_version != "1") return BadField("schema_version", "not \"1\"");
  if (derived.kind != (command ? "command" : "domain")) {
    return BadField("metadata.kind", "contradicts event_type");
  }
  if (derived.topic != TopicOf(envelope.type)) {
    return BadField("metadata.kafka_topic", "contradicts event_type");
  }
  if (envelope.aggregate.type != envelope.type.aggregate) {
    return BadField("aggregate_type", "contradicts event_type");
  }
  if (!SplitAggregateId(envelope.aggregate).ok()) {
    return BadField("aggregate_id", "has not the shape of its aggregate_type");
  }
  if (metadata.command_type.kind != EventKind::kCommand ||
      metadata.command_type.aggregate != envelope.aggregate.type ||
      (command && metadata.command_type != envelope.type)) {
    return BadField("metadata.command_type", "contradicts event_type");
  }
  if (command && metadata.command_id != envelope.event_id) {
    return BadField("metadata.command_id", "of a command must be its event_id");
  }
  return Ok();
}

Status ReadEnvelope(ondemand::document& document, Envelope& out) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "event_id", "event_type", "aggregate_type", "aggregate_id",   "occurred_at",
      "actor",    "data",       "metadata",       "schema_version", "sequence_number"};
  ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) {
    return BadField("line", "not a JSON object");
  }
  Derived derived;
  auto read = [&](std::size_t index, ondemand::value member) -> Status {
    switch (index) {
      case 0: return ReadId(member, "event_id", out.event_id);
      case 1: return ReadEventType(member, "event_type", out.type);
      case 2: return ReadAggregateType(member, "aggregate_type", out.aggregate.type);
      case 3: return ReadText(member, "aggregate_id", out.aggregate.id);
      case 4: return ReadText(member, "occurred_at", out.occurred_at);
      case 5: return ReadText(member, "actor", out.actor);
      case 6: return ReadData(member, out.data);
      case 7: return ReadMetadata(member, out.metadata, derived);
      case 8: return ReadText(member, "schema_version", derived.schema_version);
      default: return ReadNumber(member, "sequence_number", out.sequence_number);
    }
  };
  SAFFRON_TRY(ReadMembers(object, "line", kNames, 0b1111111111, read));
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS)
    return BadField("line", "something follows the object");
  return CheckConsistency(out, derived);
}

}  // namespace

Result<Envelope> DecodeEnvelope(std::string_view line) {
  thread_local Reader reader;
  reader.padded.reserve(line.size() + simdjson::SIMDJSON_PADDING);
  reader.padded.assign(line);
  ondemand::document document;
  simdjson::padded_string_view view(reader.padded.data(), line.size(), reader.padded.capacity());
  if (reader.parser.iterate(view).get(document) != simdjson::SUCCESS) {
    return BadField("line", "not a JSON object");
  }
  Envelope envelope;
  SAFFRON_TRY(ReadEnvelope(document, envelope));
  return envelope;
}

}  // namespace saffron
