// EventSetDigest: a digest of a set of events that does not depend on the order in which they are
// added, so that two logs with the same history of every aggregate have the same digest, however
// their slots were cut and interleaved.
//
// What is hashed of an event: aggregate type and id, sequence number, event id, event type, and
// data without `basis` (a position, which is the log's business). The sequence number is in there,
// so the order within an aggregate counts. Pure; one thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/digest_sum.h"
#include "eventlog/slot.h"

namespace saffron {

class EventSetDigest {
 public:
  void Add(const LoggedEvent& event);
  std::string Hex() const { return sum_.Hex(); }
  std::uint64_t events() const { return sum_.count(); }

 private:
  DigestSum sum_;
};

}  // namespace saffron
