// Bus and by-date index against the log, and the repair of the latter.
#include "services/ops/verify.h"

namespace saffron {
namespace {

constexpr char kRepairIndex[] = "saffron verify --repair index";
constexpr char kRefillBus[] =
    "nothing is lost, workers and projection read the log; for other readers: stop the publisher, "
    "delete its checkpoint (checkpoints/event_publisher.json), start it: every event is sent again";
constexpr char kNewBus[] =
    "nothing is lost: stop the server, move bus.db away (of Kafka: delete the topic), start: it is "
    "filled again from the log";

}  // namespace

// What the publisher recorded as acknowledged must still be there. Nothing was published, or what
// was recorded is of another republish: nothing is claimed.
Status Verifier::BeginBus() {
  SAFFRON_ASSIGN(SlotNumber published, subjects_.published());
  std::optional<PublishedRow> row;
  SAFFRON_ASSIGN(Wait wait, WaitFor([&]() -> Result<bool> {
                   SAFFRON_ASSIGN(row, subjects_.claims.PublishedAt(context_.shard, report_.head));
                   return row.has_value() || published == SlotNumber();
                 }));
  if (wait == Wait::kTimedOut) {
    Differ("bus: publisher",
           "it has not passed slot " + std::to_string(report_.head.value) + ", the log's head",
           "see that a publisher runs and that `saffron status` shows it moving");
  }
  if (!row) return Ok();
  SAFFRON_ASSIGN(std::uint64_t republish, subjects_.republish_id());
  auto mark = row->ends.find(kRepublishMark);
  if (mark == row->ends.end() || mark->second != republish) return Ok();
  SAFFRON_TRY(CheckBusEnds(*row));
  if (options_.sample > 0) return Ok();
  bus_ = std::make_unique<BusCheck>(context_.runtime, subjects_.bus,
                                    BusCheckOptions{report_.from, report_.head, options_.patience},
                                    [this](std::string where, std::string what) {
                                      Differ(std::move(where), std::move(what), kRefillBus);
                                    });
  Status read = bus_->ReadBus(*row, [this](std::uint64_t records) { Progress("bus", records); });
  if (!read.Is(Code::kCorrupt)) return read;
  Differ("bus", read.error().message(), kNewBus);
  bus_.reset();
  return Ok();
}

Status Verifier::CheckBusEnds(const PublishedRow& row) {
  for (const auto& [partition, end] : row.ends) {
    if (IsMark(partition)) continue;
    Result<TopicState> state = subjects_.bus.Describe(partition.first);
    if (!state.ok() && !state.Is(Code::kNotFound)) return state.error();
    const bool known = state.ok() && partition.second < state->end_offsets.size();
    const std::uint64_t now = known ? state->end_offsets[partition.second] : 0;
    if (now >= end) continue;
    Differ("bus: " + partition.first + "/" + std::to_string(partition.second),
           "it ends at offset " + std::to_string(now) + "; " + std::to_string(end) +
               " was acknowledged",
           "nothing is lost: the publisher sends it again within a minute; if it stays, look for "
           "its warnings");
  }
  return Ok();
}

Status Verifier::BeginIndex() {
  SAFFRON_ASSIGN(published_, subjects_.published());
  published_ = std::min(published_, report_.head);
  index_ =
      std::make_unique<ByDateCheck>(context_.store, ByDateCheck::Mode::kLook, report_.from,
                                    published_, [this](std::string where, std::string what) {
                                      ++index_differences_;
                                      if (options_.repair == VerifyOptions::Repair::kNothing) {
                                        Differ(std::move(where), std::move(what), kRepairIndex);
                                      }
                                    });
  return Ok();
}

// At the end of the first reading of the log.
Status Verifier::EndDerived() {
  SAFFRON_TRY(index_->Finish());
  report_.index_entries = index_->entries();
  if (log_whole_ && bus_ != nullptr) bus_->Compare();
  report_.bus_records = bus_ == nullptr ? 0 : bus_->records();
  bus_.reset();
  if (options_.repair == VerifyOptions::Repair::kNothing || index_differences_ == 0) return Ok();
  if (!log_whole_) {
    Differ("index", "it is not repaired: the log itself is damaged",
           "mend the log first, as said above");
    return Ok();
  }
  ByDateCheck repair(context_.store, ByDateCheck::Mode::kRepair, report_.from, published_,
                     [](const std::string&, const std::string&) {});
  for (SlotNumber at = report_.from; at <= published_; at = at.Next()) {
    if (context_.runtime.StopRequested()) return Cancelled("stopping");
    Progress("repair", at.value, published_.value);
    SAFFRON_ASSIGN(SlotPtr slot, ReadStoredSlot(at));
    if (slot == nullptr) return Corrupt("the log was damaged while the index was repaired");
    SAFFRON_TRY(repair.Add(*slot));
  }
  SAFFRON_TRY(repair.Finish());
  report_.repaired = repair.repaired();
  return Ok();
}

}  // namespace saffron
