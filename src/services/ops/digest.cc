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
  const Sha256Digest hash = Sha256(bytes);
  std::uint64_t carry = 0;
  for (std::size_t word = 0; word < sum_.size(); ++word) {
    std::uint64_t addend = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      addend = addend << 8 | hash[(sum_.size() - 1 - word) * 8 + i];
    }
    const std::uint64_t with_carry = addend + carry;
    carry = with_carry < addend ? 1 : 0;
    sum_[word] += with_carry;
    carry += sum_[word] < with_carry ? 1 : 0;
  }
  ++events_;
}

std::string EventSetDigest::Hex() const {
  std::string bytes;
  for (std::size_t word = sum_.size(); word-- > 0;) PutU64BigEndian(bytes, sum_[word]);
  return HexOf(bytes);
}

}  // namespace saffron
