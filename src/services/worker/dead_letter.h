// What goes to projection_failures_dlq when a sink refuses a document for good. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "domain/names.h"
#include "ports/message_bus.h"

namespace saffron {

// The event itself stays in the log, at its position; the letter is small, whatever the event was.
struct RefusedEvent {
  EventId event;  // nil: unknown
  AggregateKey aggregate;
  SequenceNumber number;
  std::string position;  // of the event; of a record that is no event: topic, partition, offset
  std::string sink;      // "graph", "search"
  std::string reason;
};

BusMessage DeadLetterOf(const RefusedEvent& refused);

}  // namespace saffron
