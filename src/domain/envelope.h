// The one shape of everything in the log and on the bus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/sha256.h"
#include "domain/names.h"

namespace saffron {

enum class Lifecycle : std::uint8_t { kAbsent = 0, kPresent = 1 };

// Under which creation of its database and class something lives: the number of the CREATED
// outcome of each. 0 where there is no such parent.
struct Scope {
  SequenceNumber database;
  SequenceNumber class_;
  friend auto operator<=>(const Scope&, const Scope&) = default;
};

// One decided ontology aggregate that a command was validated with.
struct OntologyStamp {
  AggregateKey aggregate;      // database or class
  SequenceNumber incarnation;  // the number of its creation
  SequenceNumber number;       // its decided number then
  friend bool operator==(const OntologyStamp&, const OntologyStamp&) = default;
};

struct TransactionPart {
  EventId id;
  std::uint32_t index = 0;
  std::uint32_t size = 0;
  friend bool operator==(const TransactionPart&, const TransactionPart&) = default;
};

struct EventMetadata {
  std::string service;            // who wrote it: "oms", "instance-worker", ...
  EventId command_id;             // of a command: its own id
  EventType command_type;         // of a command: its own type
  Sha256Digest request_sha256{};  // of the canonical command (RequestHash)
  std::string traceparent;        // W3C; may be empty
  std::vector<OntologyStamp> ontology;
  // A class command, and its outcome: the number it gave to the ontology head of its branch.
  SequenceNumber ontology_head;
  std::optional<TransactionPart> transaction;
  friend bool operator==(const EventMetadata&, const EventMetadata&) = default;
};

struct Envelope {
  EventId event_id;
  EventType type;
  AggregateKey aggregate;
  std::string occurred_at;  // RFC 3339 UTC
  std::string actor;
  std::string data;  // a JSON object, byte for byte as written or received
  EventMetadata metadata;
  SequenceNumber sequence_number;
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

inline constexpr std::size_t kDefaultMaxEnvelopeBytes = 900 * 1024;

// Appends the envelope as one line of JSON without the newline. The members in this order:
//   event_id event_type aggregate_type aggregate_id occurred_at actor data metadata schema_version
//   sequence_number
// and of metadata: kind kafka_topic service command_id command_type request_sha256 traceparent
// ontology ontology_head transaction; traceparent is left out when empty, ontology_head when 0,
// transaction {id,index,size} when there is none. A stamp of ontology is an array
// [aggregate_type, aggregate_id, incarnation, number]. Text that is not UTF-8 becomes U+FFFD.
// `data` goes in as it is: the caller has made sure that it is one valid JSON object without a line
// break outside of escapes. metadata.kind, metadata.kafka_topic and schema_version are derived, not
// stored in the struct.
void AppendEnvelope(const Envelope& envelope, std::string& out);
std::string EncodeEnvelope(const Envelope& envelope);
// kCorrupt with the field that is missing, double or wrong, also when it contradicts the type.
// Unknown members are passed over. The inside of `data` is not looked at.
// DecodeEnvelope(EncodeEnvelope(x)) = x.
Result<Envelope> DecodeEnvelope(std::string_view line);

// What an outcome says: the state of its aggregate after it, whole; a rejection too (then
// unchanged).
struct Outcome {
  Lifecycle lifecycle = Lifecycle::kAbsent;
  SequenceNumber incarnation;  // the number of the aggregate's own last creation; 0: never created
  Scope scope;                 // where it lives (of a database: zeros)
  std::string document;        // JSON object; empty when absent. Of a class: its definition
  // The position of the outcome of n-1; absent when n is the first.
  std::optional<Position> basis;
  // Of a rejection: why. A stable word and a sentence.
  std::string reason_code;
  std::string reason_message;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
// The `data` of an outcome's envelope: {"lifecycle":"present","incarnation":3,
// "scope":{"database":1,"class":2},"document":{...},"basis":"0-17-3","reason":{"code","message"}};
// document is there exactly when present, basis and reason when there is one.
std::string EncodeOutcome(const Outcome& outcome);
Result<Outcome> DecodeOutcome(std::string_view data);

// The `data` of a command's envelope. `document`, `patch` and `definition` keep the bytes received.
//   database create {"description"?}; delete {}
//   class create and update {"definition":{...}}; delete {"force":bool}
//   instance create {"document":{...},"metadata"?}; update {"patch":{...},"metadata"?}; delete {}
struct CommandData {
  std::string body;      // the document, patch, definition or description (raw JSON); may be empty
  std::string metadata;  // the client's own (raw JSON object); may be empty
  bool force = false;
  friend bool operator==(const CommandData&, const CommandData&) = default;
};
std::string EncodeCommandData(EventType type, const CommandData& data);
Result<CommandData> DecodeCommandData(EventType type, std::string_view data);

// SHA-256 of the canonical command: type, aggregate_id, expected_seq and data, each with its length
// (a varint) before it; data in RFC 8785 member order with number text as received. Never of the
// HTTP body.
// `transaction_size` is part of it for an item of a transaction (0: none).
Result<Sha256Digest> RequestHash(EventType type, const AggregateKey& aggregate,
                                 std::optional<SequenceNumber> expected_seq, std::string_view data,
                                 std::uint32_t transaction_size);

}  // namespace saffron
