#include "base/bytes.h"
#include "domain/envelope.h"
#include "domain/json_text.h"

namespace saffron {

Result<Sha256Digest> RequestHash(EventType type, const AggregateKey& aggregate,
                                 std::optional<SequenceNumber> expected_seq, std::string_view data,
                                 std::uint32_t transaction_size) {
  thread_local std::string canonical;
  canonical.clear();
  if (!json::AppendCanonical(canonical, data)) {
    return Invalid("the data of a command is not JSON");
  }
  thread_local std::string input;
  input.clear();
  PutLengthPrefixed(input, type.Name());
  PutLengthPrefixed(input, aggregate.id);
  PutLengthPrefixed(input, expected_seq ? std::to_string(expected_seq->value) : std::string());
  PutLengthPrefixed(input, canonical);
  PutLengthPrefixed(input, transaction_size > 0 ? std::to_string(transaction_size) : std::string());
  return Sha256(input);
}

}  // namespace saffron
