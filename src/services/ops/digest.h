// EventSetDigest: a digest of a set of events that does not depend on the order in which they are
// added, so that two logs with the same history of every aggregate have the same digest, however
// their slots were cut and interleaved.
//
// It is the sum, modulo 2^256, of the SHA-256 of each event. What is hashed of an event: aggregate
// type and id, sequence number, event id, event type, and data without `basis` (a position, which
// is the log's business). The sequence number is in there, so the order within an aggregate counts.
// Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "eventlog/slot.h"

namespace saffron {

class EventSetDigest {
 public:
  void Add(const LoggedEvent& event);
  std::string Hex() const;
  std::uint64_t events() const { return events_; }

 private:
  std::array<std::uint64_t, 4> sum_{};  // the lowest word first
  std::uint64_t events_ = 0;
};

}  // namespace saffron
