#include "domain/envelope.h"

#include "domain/json_text.h"

namespace saffron {
namespace {

using json::AppendNumber;
using json::AppendString;

void AppendUuid(std::string& out, const Uuid& uuid) {
  constexpr std::string_view kHex = "0123456789abcdef";
  char text[36];
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
    auto byte = static_cast<unsigned char>(uuid.bytes()[i]);
    text[at++] = kHex[byte >> 4];
    text[at++] = kHex[byte & 15];
  }
  out.append(text, sizeof text);
}

void AppendHex(std::string& out, const Sha256Digest& digest) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::uint8_t byte : digest) {
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
}

void AppendMetadata(const Envelope& envelope, std::string& out) {
  const EventMetadata& metadata = envelope.metadata;
  bool command = envelope.type.kind == EventKind::kCommand;
  out.append(command ? R"({"kind":"command","kafka_topic":")"
                     : R"({"kind":"domain","kafka_topic":")");
  out.append(TopicOf(envelope.type)).append(R"(","service":)");
  AppendString(out, metadata.service);
  out.append(R"(,"command_id":")");
  AppendUuid(out, metadata.command_id.uuid);
  out.append(R"(","command_type":")").append(metadata.command_type.Name());
  out.append(R"(","request_sha256":")");
  AppendHex(out, metadata.request_sha256);
  out.push_back('"');
  if (!metadata.traceparent.empty()) {
    out.append(R"(,"traceparent":)");
    AppendString(out, metadata.traceparent);
  }
  out.append(R"(,"ontology":[)");
  for (const OntologyStamp& stamp : metadata.ontology) {
    out.append(&stamp == metadata.ontology.data() ? "[\"" : ",[\"");
    out.append(AggregateTypeName(stamp.aggregate.type)).append("\",");
    AppendString(out, stamp.aggregate.id);
    out.push_back(',');
    AppendNumber(out, stamp.incarnation.value);
    out.push_back(',');
    AppendNumber(out, stamp.number.value);
    out.push_back(']');
  }
  out.push_back(']');
  if (metadata.ontology_head.value != 0) {
    out.append(R"(,"ontology_head":)");
    AppendNumber(out, metadata.ontology_head.value);
  }
  if (metadata.transaction) {
    out.append(R"(,"transaction":{"id":")");
    AppendUuid(out, metadata.transaction->id.uuid);
    out.append(R"(","index":)");
    AppendNumber(out, metadata.transaction->index);
    out.append(R"(,"size":)");
    AppendNumber(out, metadata.transaction->size);
    out.push_back('}');
  }
  out.push_back('}');
}

}  // namespace

void AppendEnvelope(const Envelope& envelope, std::string& out) {
  out.reserve(out.size() + envelope.data.size() + 900);
  out.append(R"({"event_id":")");
  AppendUuid(out, envelope.event_id.uuid);
  out.append(R"(","event_type":")").append(envelope.type.Name());
  out.append(R"(","aggregate_type":")").append(AggregateTypeName(envelope.aggregate.type));
  out.append(R"(","aggregate_id":)");
  AppendString(out, envelope.aggregate.id);
  out.append(R"(,"occurred_at":)");
  AppendString(out, envelope.occurred_at);
  out.append(R"(,"actor":)");
  AppendString(out, envelope.actor);
  out.append(R"(,"data":)").append(envelope.data).append(R"(,"metadata":)");
  AppendMetadata(envelope, out);
  out.append(R"(,"schema_version":"1","sequence_number":)");
  AppendNumber(out, envelope.sequence_number.value);
  out.push_back('}');
}

std::string EncodeEnvelope(const Envelope& envelope) {
  std::string out;
  AppendEnvelope(envelope, out);
  return out;
}

}  // namespace saffron
