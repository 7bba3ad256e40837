// Who publishes: the checkpoint's owner, and how the checkpoint is swapped.
#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "services/publisher/publisher.h"

namespace saffron {
namespace {

// Entries that cannot be written keep the checkpoint back, by so much after a minute and by so much
// in any case; then they are given up.
constexpr std::size_t kByDateSlots = 1'000, kMostByDateSlots = 20'000;
constexpr Duration kByDatePatience = seconds(60);
// Others see within a second that the checkpoint was released.
constexpr Duration kRest = seconds(3);

}  // namespace

// Without its rows a publisher must not begin to send.
Status Publisher::CanLead() {
  if (context_.exclusive || Mutated(Mutation::kFailingPublisherHoldsOn)) return Ok();
  Result<std::optional<PublishedRow>> row = claims_.PublishedAt(context_.shard, SlotNumber(1));
  return row.ok() ? Ok() : Status(row.error());
}

Result<Publisher::Progress> Publisher::Contend() {
  if (runtime_.Now() < back_at_) {
    runtime_.SleepFor(std::min<Duration>(options_.lease / 10, seconds(1)));
    return Progress::kIdle;
  }
  if (let_go_) {  // it says so, and leaves it to others, until its bus answers
    Result<TopicState> topic = bus_.Describe(options_.topics.front().name);
    if (!topic.ok() && !topic.Is(Code::kNotFound)) return std::move(topic).error();
    let_go_ = false;
  }
  Result<StoredObject> stored = context_.store.Get(options_.checkpoint_key);
  if (stored.Is(Code::kNotFound)) return Found();
  if (!stored.ok()) return std::move(stored).error();
  const Instant now = runtime_.Now();
  if (stored->etag != seen_etag_) {
    seen_etag_ = stored->etag;
    seen_at_ = now;
  }
  Result<PublisherCheckpoint> read = DecodeCheckpoint(stored->bytes);
  PublisherCheckpoint checkpoint = read.ok() ? *read : PublisherCheckpoint();
  highest_epoch_ = std::max(highest_epoch_, checkpoint.epoch);
  const bool ours =
      read.ok() && checkpoint.owner == options_.owner && !Mutated(Mutation::kRefusedSwapStandsBy);
  const bool released = read.ok() && checkpoint.owner.empty();
  const bool at_once = context_.exclusive || Mutated(Mutation::kPublisherTakesAtOnce);
  if (!ours && !released && !at_once && now - seen_at_ < options_.lease) {
    runtime_.SleepFor(std::min<Duration>(options_.lease / 10, seconds(1)));
    return Progress::kIdle;
  }
  SAFFRON_TRY(CanLead());
  if (ours) {  // our swap, its answer was lost; or it could not be released
    BeginLeading(std::move(checkpoint), stored->etag);
    return Progress::kWorked;
  }
  if (!read.ok()) {
    context_.log.Warning("publisher.checkpoint_unreadable",
                         {{"error", read.error().ToString()}, {"from_slot", 1}});
  }
  checkpoint.owner = options_.owner;
  checkpoint.epoch = highest_epoch_ + 1;
  checkpoint.renewed_at = runtime_.WallNow().ToRfc3339();
  Result<std::string> put = context_.store.PutIfMatch(options_.checkpoint_key,
                                                      EncodeCheckpoint(checkpoint), stored->etag);
  if (put.ok()) {
    BeginLeading(std::move(checkpoint), std::move(put).value());
  } else if (!put.Is(Code::kConflict) && !put.Is(Code::kNotFound)) {
    return std::move(put).error();
  }
  return Progress::kWorked;
}

Result<Publisher::Progress> Publisher::Found() {
  SAFFRON_TRY(CanLead());
  PublisherCheckpoint checkpoint;
  checkpoint.owner = options_.owner;
  checkpoint.epoch = highest_epoch_ + 1;
  checkpoint.renewed_at = runtime_.WallNow().ToRfc3339();
  if (!ReadSlot(context_, SlotNumber(1)).Is(Code::kNotFound)) {
    context_.log.Warning("publisher.no_checkpoint", {{"from_slot", 1}});
  }
  Result<std::string> put =
      context_.store.PutIfAbsent(options_.checkpoint_key, EncodeCheckpoint(checkpoint));
  if (put.ok()) {
    BeginLeading(std::move(checkpoint), std::move(put).value());
  } else if (!put.Is(Code::kConflict)) {
    return std::move(put).error();
  }
  return Progress::kWorked;
}

void Publisher::BeginLeading(PublisherCheckpoint checkpoint, std::string etag) {
  context_.log.Info("publisher.leads", {{"epoch", checkpoint.epoch}});
  state_ = std::move(checkpoint);
  highest_epoch_ = state_.epoch;
  etag_ = std::move(etag);
  saved_at_ = tried_at_ = runtime_.Now();
  dirty_ = prepared_ = row_dirty_ = false;
  failing_since_ = Instant::Max();
  row_failing_ = false;
  regressed_.clear();
  distrusted_until_ = SlotNumber();
  by_date_.Clear();
  last_slot_ = LastSlot().value;
  last_reserved_ = runtime_.WallNow();
  leading_ = true;
  if (metrics_ != nullptr) metrics_->Leads(true);
}

void Publisher::StandBy(std::string_view why) {
  context_.log.Warning("publisher.stands_by", {{"epoch", state_.epoch}, {"why", why}});
  leading_ = false;
  batch_.reset();
  reader_.reset();
  by_date_.Clear();
  seen_etag_.clear();
  if (metrics_ != nullptr) metrics_->Leads(false);
}

// Another one may lead: nothing is done before that is known.
bool Publisher::Lapsed() const {
  return !context_.exclusive && saved_at_ + options_.lease <= runtime_.Now();
}

Status Publisher::SaveIfDue() {
  const Instant now = runtime_.Now();
  if (!Lapsed() && now < tried_at_ + options_.save_interval) return Ok();
  if (!dirty_ && now < saved_at_ + options_.lease / 3) return Ok();
  return Save();
}

// What it says is published has its entry by date: who takes over makes those that are missing.
std::string Publisher::NextCheckpoint() {
  FlushByDate();
  if (!regressed_.empty()) TakeLossOver();
  state_.renewed_at = runtime_.WallNow().ToRfc3339();
  if (by_date_.empty() || Mutated(Mutation::kPassesMissingEntries)) return EncodeCheckpoint(state_);
  PublisherCheckpoint behind = state_;
  behind.shards[context_.shard] = SlotNumber(by_date_.first().value - 1);
  if (behind.republish) {
    behind.republish->next = std::min(behind.republish->next, by_date_.first());
  }
  return EncodeCheckpoint(behind);
}

Status Publisher::Save() {
  const Instant started = tried_at_ = runtime_.Now();
  const std::string bytes = NextCheckpoint();
  for (int attempt = 0; attempt < 4; ++attempt) {
    SAFFRON_STEP("publisher.checkpoint.before");
    Result<std::string> put =
        etag_.empty() ? context_.store.PutIfAbsent(options_.checkpoint_key, bytes)
                      : context_.store.PutIfMatch(options_.checkpoint_key, bytes, etag_);
    SAFFRON_STEP("publisher.checkpoint.after");
    bool saved = put.ok();
    if (put.ok()) {
      etag_ = std::move(put).value();
    } else if (put.Is(Code::kNotFound)) {
      context_.log.Warning("publisher.checkpoint_gone");
      etag_.clear();
    } else if (put.Is(Code::kConflict)) {
      SAFFRON_ASSIGN(saved, ReadBack(bytes));
      if (!leading_) return Ok();
    } else {
      return std::move(put).error();
    }
    if (!saved) continue;
    dirty_ = !by_date_.empty();
    saved_at_ = started;
    if (metrics_ != nullptr) metrics_->CheckpointSwapped();
    return Ok();
  }
  return Unavailable("the publisher's checkpoint changes under its owner");
}

Result<bool> Publisher::ReadBack(const std::string& wanted) {
  Result<StoredObject> stored = context_.store.Get(options_.checkpoint_key);
  if (stored.Is(Code::kNotFound)) {
    etag_.clear();
    return false;
  }
  if (!stored.ok()) return std::move(stored).error();
  Result<PublisherCheckpoint> read = DecodeCheckpoint(stored->bytes);
  // What cannot be read was not written by a publisher: what is in memory replaces it.
  const bool ours = read.ok() && read->owner == options_.owner && read->epoch == state_.epoch &&
                    !Mutated(Mutation::kRefusedSwapStandsBy);
  if (read.ok() && !ours) {
    highest_epoch_ = std::max(highest_epoch_, read->epoch);
    StandBy("another publisher has taken over: " + read->owner);
    return false;
  }
  etag_ = stored->etag;
  return stored->bytes == wanted;
}

void Publisher::Release() {
  row_at_ = Instant{Duration::min() / 2};
  if (regressed_.empty()) PutRowIfDue();  // its ends would hide what is missing before them
  state_.owner.clear();
  const std::string bytes = NextCheckpoint();
  leading_ = false;
  // If it is refused, the lease runs out.
  if (etag_.empty()) return;
  auto put = context_.store.PutIfMatch(options_.checkpoint_key, bytes, etag_);
  if (!put.ok()) context_.log.Info("publisher.not_released", {{"error", put.error().ToString()}});
}

// Another one may reach what this one cannot. If nobody comes, it leads again.
void Publisher::StandBackIfFailing() {
  const Instant now = runtime_.Now();
  if (!leading_ || failing_since_ == Instant::Max()) return;
  if (now - failing_since_ < options_.lease) return;
  if (context_.exclusive || Mutated(Mutation::kFailingPublisherHoldsOn)) return;
  Release();
  let_go_ = true;
  back_at_ = runtime_.Now() + kRest;
  StandBy("it has failed for as long as a lease");
}

// A predecessor that was paused in the middle of this call begins its run where ours begins, and
// may write it at any later time: the longer one stays.
Status Publisher::PutByDate() {
  const std::string key = by_date_.Key(), json = by_date_.Json();
  if (context_.exclusive) return context_.store.Put(key, json);
  Result<std::string> put = context_.store.PutIfAbsent(key, json);
  if (!put.Is(Code::kConflict)) return put.ok() ? Ok() : Status(put.error());
  Result<StoredObject> stored = context_.store.Get(key);
  if (stored.Is(Code::kCorrupt)) return Ok();  // verify finds it and writes it again
  if (!stored.ok()) return std::move(stored).error();
  if (by_date_.last() <= ByDateRun::LastOf(stored->bytes, context_.shard)) return Ok();
  put = context_.store.PutIfMatch(key, json, stored->etag);
  return put.ok() ? Ok() : Status(put.error());
}

void Publisher::FlushByDate() {
  if (by_date_.empty()) return;
  Status put = PutByDate();
  const Instant now = runtime_.Now();
  by_date_failing_since_ = put.ok() ? Instant::Max() : std::min(by_date_failing_since_, now);
  const bool long_since = !put.ok() && now - by_date_failing_since_ > kByDatePatience;
  const std::size_t most = long_since ? kByDateSlots : kMostByDateSlots;
  if (put.ok() || by_date_.size() > most) by_date_.Clear();
  if (!put.ok()) {
    context_.log.Warning("publisher.by_date_failed", {{"error", put.error().ToString()}});
  }
}

}  // namespace saffron
