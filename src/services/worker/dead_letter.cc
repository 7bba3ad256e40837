#include "services/worker/dead_letter.h"

#include "domain/json_text.h"

namespace saffron {

BusMessage DeadLetterOf(const RefusedEvent& refused) {
  BusMessage letter;
  letter.topic = kProjectionFailuresTopic;
  letter.key = refused.aggregate.id;
  const auto add = [&](std::string_view name, std::string_view text) {
    letter.value.append(letter.value.empty() ? "{" : ",");
    json::AppendString(letter.value, name);
    letter.value.push_back(':');
    json::AppendString(letter.value, text);
    letter.headers.emplace_back(name, text);
  };
  if (!refused.event.uuid.is_nil()) add("event_id", refused.event.ToString());
  add("aggregate_type", AggregateTypeName(refused.aggregate.type));
  add("aggregate_id", refused.aggregate.id);
  add("sequence_number", std::to_string(refused.number.value));
  add("position", refused.position);
  add("sink", refused.sink);
  add("reason", refused.reason);
  letter.value.push_back('}');
  return letter;
}

}  // namespace saffron
