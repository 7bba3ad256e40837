// The watermark, the signs of a loss, and the log instead of the bus.
#include <algorithm>
#include <utility>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "services/projection/projection.h"

namespace saffron {
namespace {

// How often the watermark in the index is looked at though nothing moves.
constexpr Duration kLookInterval = seconds(5);

constexpr Duration kReadWait = milliseconds(20);
constexpr std::size_t kMaxEvents = 16'000;
constexpr int kRowsAtOnce = 200;
// How long what is caught up with may stay unreadable.
constexpr Duration kRefreshInterval = seconds(5);

}  // namespace

void Projection::NeedCatchUp(std::string_view why) {
  if (!member_.catch_up_needed) {
    context_.log.Warning("projection.catches_up", {{"why", why}, {"from", member_.watermark.slot}});
  }
  member_.catch_up_needed = true;
}

void Projection::ShowProgress() {
  progress_.Set(member_.watermark);
  if (metrics_ != nullptr) metrics_->Watermark(member_.watermark.slot);
}

Status Projection::TendIfDue() {
  const Instant now = runtime_.Now();
  if (now < member_.tended_at + options_.tend_interval) return Ok();
  // What is to be caught up with first is not committed: others would believe that it was done.
  const bool caught_up =
      (!member_.catch_up && !member_.catch_up_needed) || Mutated(Mutation::kCommitsBeforeCaughtUp);
  if (caught_up && std::exchange(member_.commit_again, false)) CommitOffsets(Owned());
  if (!member_.catch_up) SAFFRON_TRY(CheckBus());
  if (!member_.catch_up && !member_.catch_up_needed) SAFFRON_TRY(Advance());
  SAFFRON_TRY(SaveWatermark());
  member_.tended_at = now;
  return Ok();
}

Status Projection::CheckBus() {
  SAFFRON_ASSIGN(auto ends, BusEnds());
  for (const auto& [key, partition] : member_.owned) {
    auto end = ends.find(key);
    if (end == ends.end() || end->second.topic_id != partition.topic_id) {
      NeedCatchUp("a topic was made again");
    } else if (end->second.next < partition.next) {
      NeedCatchUp("an offset beyond the end");
    }
  }
  return SeeOthers(ends);
}

// The partitions of other members: what they have committed since this one is here.
Status Projection::SeeOthers(const std::map<TopicPartition, PartitionProgress>& ends) {
  const bool alone = std::all_of(ends.begin(), ends.end(), [this](const auto& end) {
    return member_.owned.contains(end.first);
  });
  if (alone) return Ok();
  SAFFRON_ASSIGN(auto committed, bus_.GroupOffsets(options_.group));
  for (const auto& [key, end] : ends) {
    if (member_.owned.contains(key)) continue;
    auto offset = committed.find(key);
    if (offset != committed.end() && Vouched(offset->second, end)) {
      member_.watermark.partitions[key] = {end.topic_id, offset->second.next};
    } else {
      member_.watermark.partitions.erase(key);
    }
  }
  return Ok();
}

// As far as the publisher's rows allow: they tell which offsets a slot has become.
Status Projection::Advance() {
  // What was caught up with may have been sent again since, and no later row tells.
  SAFFRON_ASSIGN(std::optional<PublishedRow> last,
                 claims_.PublishedAt(context_.shard, member_.watermark.slot));
  if (last && last->slot == member_.watermark.slot &&
      !Mutated(Mutation::kProjectionIgnoresRepublish) &&
      RepublishOf(*last).value_or(member_.watermark.republish_id) !=
          member_.watermark.republish_id) {
    NeedCatchUp("a republish of what was passed");
    return Ok();
  }
  for (int i = 0; i < kRowsAtOnce; ++i) {
    SAFFRON_ASSIGN(std::optional<PublishedRow> row,
                   claims_.PublishedAt(context_.shard, member_.watermark.slot.Next()));
    if (!row) return Ok();
    std::optional<std::uint64_t> republish = RepublishOf(*row);
    if (!republish) return WaitAtMuteRow(row->slot);
    if (Mutated(Mutation::kProjectionIgnoresRepublish)) member_.watermark.republish_id = *republish;
    if (*republish != member_.watermark.republish_id) {
      NeedCatchUp("a republish");
      return Ok();
    }
    if (!HasPassed(member_.watermark, *row)) return LookBeyond(row->slot);
    member_.watermark.slot = row->slot;
    ShowProgress();
  }
  return Ok();
}

// Another member may have come to a republish beyond this row. What it commits then counts there
// and not here, so that this row is never passed; and it waits for this one in the same way.
Status Projection::LookBeyond(SlotNumber slot) {
  for (int i = 0; i < kRowsAtOnce; ++i) {
    SAFFRON_ASSIGN(std::optional<PublishedRow> row,
                   claims_.PublishedAt(context_.shard, slot.Next()));
    if (!row) return Ok();
    if (RepublishOf(*row).value_or(member_.watermark.republish_id) !=
        member_.watermark.republish_id) {
      NeedCatchUp("a republish beyond a row that waits");
      return Ok();
    }
    slot = row->slot;
  }
  return Ok();
}

// The publisher is about to send these slots (again). Unless a predecessor of it has made the row
// say nothing after they were sent: then no news will come, and the log knows.
Status Projection::WaitAtMuteRow(SlotNumber slot) {
  const Instant now = runtime_.Now();
  if (member_.mute_slot != slot) {
    member_.mute_slot = slot;
    member_.mute_since = now;
  } else if (member_.mute_since + options_.mute_row_patience <= now) {
    NeedCatchUp("a row that says nothing");
  }
  return Ok();
}

Status Projection::SaveWatermark() {
  const std::string text = EncodeWatermark(member_.watermark);
  const Instant now = runtime_.Now();
  if (text == member_.saved_watermark && now < member_.looked_at + kLookInterval) return Ok();
  SAFFRON_ASSIGN(std::string stored, index_.Watermark());
  member_.looked_at = now;
  Result<ProjectionWatermark> other = DecodeWatermark(stored);
  if (other.ok() && other->generation != member_.watermark.generation) {
    // The index was rebuilt beneath us. What it holds is what its own watermark says.
    member_.watermark = std::move(other).value();
    member_.saved_watermark = stored;
    member_.catch_up.reset();
    ShowProgress();
    NeedCatchUp("the index was rebuilt");
    return Ok();
  }
  // What was saved may be gone: an older save, whose answer was lost, has landed after it.
  if (text != member_.saved_watermark || !other.ok() || other->slot < member_.watermark.slot) {
    SAFFRON_STEP("projection.watermark.before");
    SAFFRON_TRY(index_.SetWatermark(text));
    SAFFRON_STEP("projection.watermark.after");
  }
  member_.saved_watermark = text;
  return Ok();
}

Status Projection::BeginCatchUp() {
  CatchUp catch_up;
  // In this order: what the bus holds now was in the log before, and belongs to no later republish.
  catch_up.republish_id = member_.watermark.republish_id;
  SAFFRON_ASSIGN(std::optional<PublishedRow> row,
                 claims_.PublishedAt(context_.shard, member_.watermark.slot));
  if (row) catch_up.republish_id = RepublishOf(*row).value_or(catch_up.republish_id);
  SAFFRON_ASSIGN(catch_up.ends, BusEnds());
  LogReader::Options options;
  options.name = "projection-reader";
  options.ahead = 32;
  catch_up.written = member_.watermark.slot;
  catch_up.refreshed_at = runtime_.Now();
  catch_up.reader = std::make_unique<LogReader>(context_, member_.watermark.slot.Next(), options);
  member_.catch_up = std::move(catch_up);
  member_.catch_up_needed = false;
  if (metrics_ != nullptr) metrics_->CatchUpStarted();
  return Ok();
}

Result<Projection::Progress> Projection::FollowLog() {
  SAFFRON_TRY(KeepMembership());
  if (member_.catch_up->refreshed_at + kRefreshInterval <= runtime_.Now())
    SAFFRON_TRY(RefreshCaughtUp());
  SAFFRON_ASSIGN(std::vector<SlotPtr> slots,
                 member_.catch_up->reader->Read(kMaxEvents, runtime_.Now() + kReadWait));
  if (slots.empty()) {
    Result<SlotPtr> next = ReadSlot(context_, member_.catch_up->reader->next());
    if (next.ok()) return Progress::kWorked;  // only slow
    if (!next.Is(Code::kNotFound)) return std::move(next).error();
    SAFFRON_TRY(EndCatchUp());
    return Progress::kWorked;
  }
  Work work;
  for (const SlotPtr& slot : slots) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome) continue;
      const Envelope& envelope = event.envelope;
      AddDocument(work, envelope, *event.outcome,
                  {envelope.event_id,
                   envelope.aggregate,
                   envelope.sequence_number,
                   event.location.position.ToString(),
                   {}});
    }
  }
  work.slot = slots.back()->number();
  member_.work = std::move(work);
  return Progress::kWorked;
}

Status Projection::RefreshCaughtUp() {
  if (!Mutated(Mutation::kTellsUnreadable)) SAFFRON_TRY(index_.Refresh());
  member_.catch_up->refreshed_at = runtime_.Now();
  member_.watermark.slot = std::max(member_.watermark.slot, member_.catch_up->written);
  ShowProgress();
  return Ok();
}

Status Projection::EndCatchUp() {
  SAFFRON_TRY(RefreshCaughtUp());
  for (const auto& [key, end] : member_.catch_up->ends) {
    auto owned = member_.owned.find(key);
    if (owned == member_.owned.end()) continue;
    SAFFRON_TRY(member_.consumer->Seek(key, end.next));
    owned->second = end;
    member_.watermark.partitions[key] = end;
  }
  // What other members had processed counts in another republish, perhaps.
  std::erase_if(member_.watermark.partitions,
                [this](const auto& entry) { return !member_.owned.contains(entry.first); });
  member_.watermark.republish_id = member_.catch_up->republish_id;
  member_.catch_up.reset();
  ShowProgress();
  CommitOffsets(Owned());
  context_.log.Info("projection.caught_up", {{"slot", member_.watermark.slot}});
  return SaveWatermark();
}

}  // namespace saffron
