#include "services/ops/digest.h"

#include "base/bytes.h"
#include "base/sha256.h"

namespace saffron {
namespace {

std::string DataWithoutBasis(const LoggedEvent& event) {
  if (!event.outcome || !event.outcome->basis) return event.envelope.data;
  Outcome outcome = *event.outcome;
  outcome.basis.reset();
  return EncodeOutcome(outcome);
}

}  // namespace

void EventSetDigest::Add(const LoggedEvent& event) {
  const Envelope& envelope = event.envelope;
  std::string bytes;
  PutLengthPrefixed(bytes, AggregateTypeName(envelope.aggregate.type));
  PutLengthPrefixed(bytes, envelope.aggregate.id);
  PutVarint(bytes, envelope.sequence_number.value);
  bytes.append(envelope.event_id.bytes());
  PutLengthPrefixed(bytes, envelope.type.Name());
  PutLengthPrefixed(bytes, DataWithoutBasis(event));
  sum_.Add(Sha256(bytes));
}

}  // namespace saffron
