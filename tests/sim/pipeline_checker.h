// Judges what the pipeline has made of its log: decisions, graph, search index and bus, each
// against its own small fold of the log, written apart from the code under test.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_search.h"
#include "ports/message_bus.h"
#include "tests/sim/log_checker.h"

namespace saffron {

using Violations = std::vector<std::string>;

// One event with the line that the bus must carry. Both are of the log that was decoded.
struct JudgedEvent {
  const LoggedEvent& event;
  std::string_view line;
};

// All events in slot order.
std::vector<JudgedEvent> EventsOf(const DecodedLog& log);

// Every command has one outcome, of its own aggregate and number, and it says what a model of
// create, merge and delete says; a rejection changes nothing and has a reason that the model has
// too, or is in `excused` ("too_large": the model does not count bytes; "discarded": by an
// operator).
Violations CheckDecisions(const std::vector<JudgedEvent>& events,
                          const std::set<std::string>& excused);

// A node for each aggregate with an outcome: version, lifecycle, incarnation, scope and document of
// the last one, and nothing else. The search index likewise, for instances and classes.
Violations CheckGraph(const std::vector<JudgedEvent>& events, MemoryGraph& graph);
Violations CheckSearch(const std::vector<JudgedEvent>& events, MemorySearch& search);

// What has happened to a topic, and so what may be asked of it.
enum class TopicHistory {
  kWhole,    // nothing was lost: the first occurrences of each key are in slot order
  kLost,     // its tail or everything was lost: by now it holds everything again
  kDropped,  // its beginning was deleted, as retention does: it may lack events
};

// `records`: what a topic holds. Events of the topic, byte for byte, nothing else; all of them, and
// in order, as far as its history lets one ask.
Violations CheckTopic(const std::vector<JudgedEvent>& events, const std::string& topic,
                      const std::vector<BusRecord>& records, TopicHistory history);

}  // namespace saffron
