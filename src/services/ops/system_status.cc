#include "services/ops/system_status.h"

#include "services/ops/json_writer.h"

namespace saffron {
namespace {

constexpr std::size_t kPage = 1000;

class Gathering {
 public:
  Gathering(LogContext& context, const StatusSubjects& subjects)
      : context_(context), subjects_(subjects) {}

  SystemStatus Run() {
    status_.log = context_.format.log;
    Try("registry", ReadRegistry());
    Try("log", ReadHead());
    Try("work list", CountUndecided());
    Try("parked", CountParked());
    Result<GraphState> graph = subjects_.graph.State();
    if (graph.ok()) status_.graph = graph->position.slot;
    if (!graph.ok()) Try("graph", graph.error());
    Take("publisher", subjects_.published(), status_.published);
    Take("search", subjects_.searched(), status_.search);
    return std::move(status_);
  }

 private:
  void Try(std::string_view what, const Status& status) {
    if (!status.ok()) {
      status_.problems.push_back(std::string(what) + ": " + status.error().ToString());
    }
  }
  void Take(std::string_view what, const Result<SlotNumber>& slot,
            std::optional<SlotNumber>& into) {
    if (slot.ok()) into = *slot;
    if (!slot.ok()) Try(what, slot.error());
  }

  Status ReadRegistry() {
    SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
    status_.next_slot = rows.control.next_slot;
    status_.fenced = !rows.control.fenced_incarnation.empty() &&
                     rows.control.fenced_incarnation == rows.live_incarnation;
    SAFFRON_ASSIGN(std::vector<Reservation> reservations, context_.registry.Reservations());
    status_.reservations = reservations.size();
    for (const Reservation& reservation : reservations) {
      status_.expired_reservations += reservation.expires_ms <= rows.now_ms ? 1 : 0;
    }
    return Ok();
  }

  // From below where the registry says the log ends: a few keys, however long the log is.
  Status ReadHead() {
    const std::uint64_t next = status_.next_slot.value_or(SlotNumber(1)).value;
    const std::uint64_t margin = context_.format.max_outstanding + 1;
    SAFFRON_ASSIGN(status_.head,
                   HighestSlot(context_, SlotNumber(next > margin ? next - margin : 0)));
    return Ok();
  }

  Status CountUndecided() {
    Position after;
    while (status_.undecided < SystemStatus::kCountLimit) {
      SAFFRON_ASSIGN(std::vector<CommandRow> rows, context_.registry.Undecided(after, kPage));
      status_.undecided += rows.size();
      if (rows.size() < kPage) break;
      after = rows.back().location->position;
    }
    return Ok();
  }

  Status CountParked() {
    std::optional<ParkKey> after;
    std::size_t counted = 0;
    while (counted < SystemStatus::kCountLimit) {
      SAFFRON_ASSIGN(std::vector<ParkedRow> rows, subjects_.claims.Parked("", after, kPage));
      for (const ParkedRow& row : rows) ++status_.parked[row.key.handler];
      counted += rows.size();
      if (rows.size() < kPage) break;
      after = rows.back().key;
    }
    return Ok();
  }

  LogContext& context_;
  const StatusSubjects& subjects_;
  SystemStatus status_;
};

std::string SlotJson(const std::optional<SlotNumber>& slot) {
  return slot ? std::to_string(slot->value) : "null";
}

// How many slots it is behind the head.
std::string LagJson(const std::optional<SlotNumber>& head, const std::optional<SlotNumber>& at) {
  if (!head || !at) return "null";
  return std::to_string(head->value > at->value ? head->value - at->value : 0);
}

}  // namespace

SystemStatus ReadSystemStatus(LogContext& context, const StatusSubjects& subjects) {
  return Gathering(context, subjects).Run();
}

std::string SystemStatusAsJson(const SystemStatus& status) {
  const auto follower = [&](const std::optional<SlotNumber>& at) {
    return JsonWriter().Raw("slot", SlotJson(at)).Raw("lag_slots", LagJson(status.head, at)).Take();
  };
  JsonWriter parked;
  for (const auto& [handler, count] : status.parked) parked.Number(handler, count);
  const std::string registry = JsonWriter()
                                   .Raw("next_slot", SlotJson(status.next_slot))
                                   .Flag("fenced", status.fenced)
                                   .Number("reservations", status.reservations)
                                   .Number("expired_reservations", status.expired_reservations)
                                   .Number("undecided_commands", status.undecided)
                                   .Take();
  return JsonWriter()
      .Text("log_id", status.log.ToString())
      .Raw("head_slot", SlotJson(status.head))
      .Raw("registry", registry)
      .Raw("publisher", follower(status.published))
      .Raw("graph", follower(status.graph))
      .Raw("search", follower(status.search))
      .Raw("parked", parked.Take())
      .Raw("problems", JsonArray(status.problems,
                                 [](const std::string& problem) {
                                   std::string quoted;
                                   json::AppendString(quoted, problem);
                                   return quoted;
                                 }))
      .Take();
}

}  // namespace saffron
