#include "services/worker/command_worker.h"

#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "eventlog/recovery.h"
#include "services/worker/parking.h"

namespace saffron {
namespace {

constexpr std::size_t kSweepPage = 500;
constexpr std::size_t kLongestChain = 50;
constexpr Duration kCommitEvery = milliseconds(100);

}  // namespace

CommandWorker::CommandWorker(LogContext& context, AppendLog& log, ClaimRegistry& claims,
                             MessageBus& bus, CommandWorkerOptions options,
                             CommandWorkerMetrics* metrics)
    : context_(context),
      log_(log),
      claims_(claims),
      bus_(bus),
      options_(std::move(options)),
      metrics_(metrics),
      decider_(context, std::string(ServiceOf(options_.terms.handler))) {}

void CommandWorker::Run() {
  Runtime& runtime = context_.runtime;
  // Until it appends something itself: what others do of its work says nothing of it.
  Instant failing_since = Instant::Max(), last_failure;
  int failures = 0;
  while (!runtime.StopRequested()) {
    const Instant began = runtime.Now();
    Result<bool> worked = Step();
    health_.Note(worked);
    if (worked.ok()) {
      failures = 0;
      if (*worked) failing_since = Instant::Max();
      continue;
    }
    if (++failures == 1) {
      context_.log.Warning("worker_paused", {{"handler", options_.terms.handler},
                                             {"error", worked.error().ToString()}});
    }
    const bool alone = context_.exclusive || Mutated(Mutation::kFailingWorkerHoldsOn);
    const bool goes_on = began - last_failure <= 2 * options_.append_timeout;
    failing_since = goes_on ? std::min(failing_since, began) : began;
    last_failure = runtime.Now();
    if (!alone && runtime.Now() - failing_since > options_.stand_back_after) {
      StandBack();
      failing_since = Instant::Max();
    }
    std::uint64_t ceiling_ms = 20ULL << std::min(failures, 6);
    runtime.SleepFor(milliseconds(5 + runtime.RandomBelow(ceiling_ms)));
  }
  ReleaseClaims();
}

// Another one may reach what this one cannot: it gets the claims and the partitions. This one comes
// back after a pause, once it can append.
void CommandWorker::StandBack() {
  context_.log.Warning("worker_stands_back",
                       {{"handler", options_.terms.handler}, {"waiting_commands", waiting_tasks_}});
  ReleaseClaims();
  consumer_.reset();  // one that has no partitions may be given some
  progress_.clear();
  waiting_.clear();
  waiting_tasks_ = 0;
  sweep_now_.store(true);  // what it had of the work list
  if (metrics_ != nullptr) metrics_->Waiting(0);
  Runtime& runtime = context_.runtime;
  const Instant back = runtime.Now() + options_.stand_back;
  while (runtime.SleepFor(seconds(1)) && (runtime.Now() < back || !CanAppend(context_))) {
  }
}

Result<bool> CommandWorker::Step() {
  SAFFRON_TRY(EnsureSubscribed());
  SAFFRON_TRY(Heartbeat());
  SAFFRON_TRY(SweepIfDue());
  SAFFRON_TRY(Receive());
  Round round = Choose();
  Result<bool> worked = false;
  if (!round.candidates.empty()) {
    SAFFRON_STEP("worker.claim.before");
    SAFFRON_TRY(ClaimRound(round));
    SAFFRON_STEP("worker.claim.after");
    worked = Decide(round);
  }
  SAFFRON_TRY(CommitOffsets());
  if (metrics_ != nullptr) metrics_->Waiting(waiting_tasks_);
  return worked;
}

Status CommandWorker::EnsureSubscribed() {
  if (consumer_ != nullptr) return Ok();
  SAFFRON_ASSIGN(consumer_, bus_.Subscribe(options_.terms.handler + "-group", options_.topics));
  return Ok();
}

Status CommandWorker::Receive() {
  if (waiting_tasks_ >= options_.max_waiting) return Ok();
  const Instant now = context_.runtime.Now();
  Duration patience = options_.poll;
  for (const auto& [key, aggregate] : waiting_) {
    patience = std::min(patience, std::max(Duration::zero(), aggregate.not_before - now));
  }
  SAFFRON_ASSIGN(
      BusBatch batch,
      consumer_->Poll(std::min(options_.batch, options_.max_waiting - waiting_tasks_), patience));
  generation_ = std::max(generation_, batch.generation);
  for (const TopicPartition& revoked : batch.revoked) progress_.erase(revoked);
  for (const TopicPartition& assigned : batch.assigned) {
    progress_.erase(assigned);
    SAFFRON_ASSIGN(TopicState state, bus_.Describe(assigned.topic));
    progress_[assigned].topic_id = state.topic_id;
  }
  for (BusRecord& record : batch.records) {
    Progress& progress = progress_[record.from];
    progress.open.insert(record.offset);
    progress.next = record.offset + 1;
    Source source{record.from, record.offset};
    Result<Envelope> command = DecodeEnvelope(record.value);
    if (!command.ok() || command->type.kind != EventKind::kCommand) {
      // The log has the truth and the work list points there: nothing is lost with a bad record.
      context_.log.Warning("bus_record_unreadable",
                           {{"topic", record.from.topic}, {"offset", record.offset}});
      FinishSource(source);
      continue;
    }
    Add(std::move(command).value(), source, generation_);
  }
  return Ok();
}

void CommandWorker::Add(Envelope command, const std::optional<Source>& source,
                        std::uint64_t generation) {
  const AggregateKey key = command.aggregate;
  auto [at, added] = waiting_[key].tasks.try_emplace(command.sequence_number);
  Task& task = at->second;
  if (added) {
    ++waiting_tasks_;
    task.command = std::move(command);
  }
  if (!source) return;
  task.sources.push_back(*source);
  task.partition = source->partition.partition;
  task.generation = generation;
}

Status CommandWorker::SweepIfDue() {
  const Instant now = context_.runtime.Now();
  if (Mutated(Mutation::kNoSweep)) return Ok();
  if (sweep_now_.exchange(false)) {
    swept_ = Position();
    next_sweep_ = now;
  }
  const bool goes_on =
      sweep_rests_ && waiting_tasks_ < options_.batch && !Mutated(Mutation::kSweepFromTheStart);
  if (now < next_sweep_ && !goes_on) return Ok();
  SAFFRON_TRY(Sweep());
  next_sweep_ = now + options_.sweep_every;
  return Ok();
}

// Commands that are settled, unclaimed and not parked, oldest first. What is too much is left to
// the next sweep, which goes on from there: nothing that stays at the front hides what is behind.
Status CommandWorker::Sweep() {
  if (Mutated(Mutation::kSweepFromTheStart)) swept_ = Position();
  std::size_t taken = 0;
  sweep_rests_ = true;
  while (taken < options_.sweep_most && waiting_tasks_ < options_.max_waiting) {
    SAFFRON_ASSIGN(std::vector<CommandRow> rows, context_.registry.Undecided(swept_, kSweepPage));
    SAFFRON_ASSIGN(const std::set<AggregateKey> parked, ParkedOf(rows));
    for (const CommandRow& row : rows) {
      if (taken >= options_.sweep_most) return Ok();
      const bool ours = HandlerOf(row.aggregate.type) == options_.terms.handler;
      auto known = waiting_.find(row.aggregate);
      const bool waits = known != waiting_.end() && known->second.tasks.contains(row.number);
      if (ours && !waits && !parked.contains(row.aggregate)) {
        SAFFRON_ASSIGN(Envelope command, ReadEvent(context_, *row.location));
        Add(std::move(command), std::nullopt, 0);
        ++taken;
      }
      swept_ = row.location->position;
    }
    if (rows.size() == kSweepPage) continue;
    swept_ = Position();
    sweep_rests_ = false;
    return Ok();
  }
  return Ok();
}

Result<std::set<AggregateKey>> CommandWorker::ParkedOf(const std::vector<CommandRow>& rows) {
  ClaimRead read;
  for (const CommandRow& row : rows) {
    if (HandlerOf(row.aggregate.type) != options_.terms.handler) continue;
    read.parked.push_back({options_.terms.handler, row.aggregate});
  }
  std::set<AggregateKey> parked;
  if (read.parked.empty() || Mutated(Mutation::kSweepFromTheStart)) return parked;
  SAFFRON_ASSIGN(ClaimRows found, claims_.Read(read));
  for (const auto& [key, row] : found.parked) parked.insert(key.aggregate);
  return parked;
}

CommandWorker::Round CommandWorker::Choose() {
  Round round;
  const Instant now = context_.runtime.Now();
  for (const auto& [key, aggregate] : waiting_) {
    if (round.candidates.size() >= options_.batch) break;
    if (aggregate.not_before > now) continue;
    std::size_t chain = 0;
    for (const auto& [number, task] : aggregate.tasks) {
      if (++chain > kLongestChain) break;
      round.candidates.push_back(
          {task.command.event_id, key, number, task.partition, task.generation});
    }
  }
  return round;
}

Status CommandWorker::ClaimRound(Round& round) {
  return claims_.Transact(ReadsOf(options_.terms, round.candidates), [&](const ClaimRows& rows) {
    ClaimWrite write;
    round.rows = rows;
    round.verdicts = Claim(rows, options_.terms, round.candidates, write);
    return write;
  });
}

// The claimed commands of the aggregate whose candidates begin at `at`; moves `at` behind them.
// What else is true of its candidates is seen to.
Result<std::vector<Envelope>> CommandWorker::Gather(const Round& round, std::size_t& at) {
  const AggregateKey key = round.candidates[at].aggregate;
  const std::size_t first = at;
  std::vector<Envelope> chain;
  for (; at < round.candidates.size() && round.candidates[at].aggregate == key; ++at) {
    auto aggregate = waiting_.find(key);
    if (aggregate == waiting_.end()) continue;  // finished or parked just now
    const ClaimCandidate& candidate = round.candidates[at];
    const Task& task = aggregate->second.tasks.at(candidate.number);
    switch (round.verdicts[at]) {
      case ClaimVerdict::kClaimed: chain.push_back(task.command); break;
      case ClaimVerdict::kDone:
      case ClaimVerdict::kParked: Finish(key, candidate.number); break;
      case ClaimVerdict::kUnsettled: Delay(key, milliseconds(5)); break;
      case ClaimVerdict::kHeld: Delay(key, milliseconds(500)); break;
      case ClaimVerdict::kLater: break;
      case ClaimVerdict::kGap:
        if (Mutated(Mutation::kNoGapFetch)) {
          Delay(key, seconds(1));
          break;
        }
        // Behind one that is here and waits, nothing is missing.
        if (at == first || (chain.empty() && Mutated(Mutation::kGapBehindWhatWaits)))
          SAFFRON_TRY(FetchGap(key, candidate.number));
        break;
      case ClaimVerdict::kExhausted:
        SAFFRON_TRY(Park(key, task, "the process ended on it as often as is allowed"));
        break;
    }
  }
  return chain;
}

Result<bool> CommandWorker::Decide(Round& round) {
  std::vector<AppendRequest> requests;
  std::vector<AggregateKey> deciding;
  std::vector<std::vector<Outcome>> outcomes;
  for (std::size_t i = 0; i < round.candidates.size();) {
    const AggregateKey key = round.candidates[i].aggregate;
    SAFFRON_ASSIGN(std::vector<Envelope> chain, Gather(round, i));
    if (chain.empty()) continue;
    AggregateRow& row = round.rows.aggregates[key];
    row.key = key;
    Result<AppendRequest> request = decider_.Decide(row, chain);
    if (!request.ok()) {
      bool outage = request.Is(Code::kUnavailable) || request.Is(Code::kCancelled);
      if (outage) return request.error();
      SAFFRON_TRY(Fail(key, request.error()));
      continue;
    }
    deciding.push_back(key);
    outcomes.emplace_back();
    for (const AppendItem& item : request->items) outcomes.back().push_back(*item.outcome);
    requests.push_back(std::move(request).value());
  }
  if (requests.empty()) return false;
  SAFFRON_STEP("worker.append.before");
  std::vector<AppendAnswer> answers =
      log_.AppendEach(std::move(requests), context_.runtime.Now() + options_.append_timeout);
  SAFFRON_STEP("worker.append.after");
  for (std::size_t i = 0; i < answers.size(); ++i) Settle(deciding[i], answers[i], outcomes[i]);
  bool committed = false, outage = false;
  for (const AppendAnswer& answer : answers) {
    committed |= answer.code == AppendCode::kCommitted;
    outage |= answer.code == AppendCode::kTimedOut || answer.code == AppendCode::kUnknown;
  }
  if (outage && !committed) return Unavailable("no outcome could be appended in time");
  return committed;
}

void CommandWorker::Settle(const AggregateKey& key, const AppendAnswer& answer,
                           const std::vector<Outcome>& outcomes) {
  switch (answer.code) {
    case AppendCode::kCommitted: {
      std::size_t rejected = 0;
      for (const Outcome& outcome : outcomes) rejected += !outcome.reason_code.empty();
      if (metrics_ != nullptr) metrics_->Decided(outcomes.size() - rejected, rejected);
      decider_.Remember(key, outcomes.back(), answer.items.back().location.position);
      for (const AppendedItem& item : answer.items) Finish(key, item.number);
      return;
    }
    // Somebody else decided (part of) it: the next round sees what is left.
    case AppendCode::kOutcomeExists:
    case AppendCode::kBasisChanged: return;
    default: Delay(key, milliseconds(20)); return;
  }
}

// Commands before `below` that the bus has not brought.
Status CommandWorker::FetchGap(const AggregateKey& key, SequenceNumber below) {
  RegistryRead read;
  read.aggregates.push_back(key);
  SAFFRON_ASSIGN(RegistryRows current, context_.registry.Read(read));
  const SequenceNumber from = current.aggregates[key].decided.number.Next();
  if (from >= below) return Ok();  // decided meanwhile
  SAFFRON_ASSIGN(
      std::vector<CommandRow> rows,
      context_.registry.CommandsOf(key, from, SequenceNumber(below.value - 1), kLongestChain));
  context_.log.Info("gap_fetched", {{"aggregate", key.id}, {"from", from}, {"below", below}});
  if (rows.empty()) Delay(key, milliseconds(20));  // not settled yet
  for (const CommandRow& row : rows) {
    if (row.outcome) continue;
    SAFFRON_ASSIGN(Envelope command, ReadEvent(context_, *row.location));
    Add(std::move(command), std::nullopt, 0);
  }
  return Ok();
}

// Something unexpected: with back-off and jitter, until the attempts are used up.
Status CommandWorker::Fail(const AggregateKey& key, const Error& error) {
  Aggregate& aggregate = waiting_.at(key);
  const Task& task = aggregate.tasks.begin()->second;
  context_.log.Error("command_failed", {{"command_id", task.command.event_id},
                                        {"aggregate", key.id},
                                        {"attempt", aggregate.failures + 1},
                                        {"error", error.ToString()}});
  const ClaimKey claim{options_.terms.handler, task.command.event_id};
  std::uint32_t attempts = 0;
  ClaimRead read;
  read.claims.push_back(claim);
  SAFFRON_TRY(claims_.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    auto found = rows.claims.find(claim);
    if (found == rows.claims.end()) return write;
    ClaimRow row = found->second;
    row.last_error = error.ToString();
    attempts = row.attempt_count++;
    write.put_claims.push_back(std::move(row));
    return write;
  }));
  if (attempts >= options_.terms.max_attempts) return Park(key, task, error.ToString());
  std::uint64_t ceiling_ms = 50ULL << std::min(++aggregate.failures, 8);
  Delay(key, milliseconds(ceiling_ms / 2 + context_.runtime.RandomBelow(ceiling_ms)));
  return Ok();
}

Status CommandWorker::Park(const AggregateKey& key, const Task& task, const std::string& reason) {
  SAFFRON_TRY(ParkAggregate(claims_, bus_, options_.terms, task.command, reason));
  context_.log.Error("aggregate_parked", {{"aggregate", key.id},
                                          {"sequence_number", task.command.sequence_number},
                                          {"reason", reason}});
  if (metrics_ != nullptr) metrics_->Parked();
  while (waiting_.contains(key)) Finish(key, waiting_.at(key).tasks.begin()->first);
  return Ok();
}

void CommandWorker::Finish(const AggregateKey& key, SequenceNumber number) {
  auto at = waiting_.find(key);
  if (at == waiting_.end()) return;
  auto task = at->second.tasks.find(number);
  if (task == at->second.tasks.end()) return;
  for (const Source& source : task->second.sources) FinishSource(source);
  at->second.tasks.erase(task);
  at->second.failures = 0;
  --waiting_tasks_;
  if (at->second.tasks.empty()) waiting_.erase(at);
}

void CommandWorker::Delay(const AggregateKey& key, Duration delay) {
  auto at = waiting_.find(key);
  if (at != waiting_.end()) at->second.not_before = context_.runtime.Now() + delay;
}

void CommandWorker::FinishSource(const Source& source) {
  auto progress = progress_.find(source.partition);
  if (progress != progress_.end()) progress->second.open.erase(source.offset);
}

Status CommandWorker::CommitOffsets() {
  const Instant now = context_.runtime.Now();
  if (now < next_commit_) return Ok();
  next_commit_ = now + kCommitEvery;
  std::map<TopicPartition, CommittedOffset> offsets;
  for (const auto& [partition, progress] : progress_) {
    std::uint64_t done = progress.open.empty() ? progress.next : *progress.open.begin();
    if (Mutated(Mutation::kOffsetsBeforeOutcomes)) done = progress.next;
    if (done > progress.committed) offsets[partition] = {done, progress.topic_id};
  }
  if (offsets.empty()) return Ok();
  SAFFRON_STEP("worker.offsets.before");
  Status committed = consumer_->Commit(offsets);
  SAFFRON_STEP("worker.offsets.after");
  if (committed.Is(Code::kConflict)) return Ok();  // revoked: the next poll says so
  SAFFRON_TRY(std::move(committed));
  for (const auto& [partition, offset] : offsets) progress_[partition].committed = offset.next;
  return Ok();
}

Status CommandWorker::Heartbeat() {
  const Instant now = context_.runtime.Now();
  if (now < next_heartbeat_) return Ok();
  Result<std::uint64_t> beaten = claims_.Heartbeat(options_.terms.handler, options_.terms.owner);
  if (!beaten.ok()) return std::move(beaten).error();
  next_heartbeat_ = now + milliseconds(options_.terms.heartbeat_ms);
  return Ok();
}

// A clean stop leaves nothing to wait for: a released claim stays `processing` with no owner.
void CommandWorker::ReleaseClaims() {
  Result<std::vector<ClaimRow>> rows =
      claims_.ClaimsWith(options_.terms.handler, ClaimStatus::kProcessing, 10'000);
  if (!rows.ok()) return;
  ClaimRead read;
  for (const ClaimRow& row : *rows) {
    if (row.owner == options_.terms.owner) read.claims.push_back(row.key);
  }
  if (read.claims.empty()) return;
  Status released = claims_.Transact(read, [&](const ClaimRows& current) {
    ClaimWrite write;
    for (const auto& [key, row] : current.claims) {
      if (row.owner != options_.terms.owner || row.status != ClaimStatus::kProcessing) continue;
      write.put_claims.push_back(row);
      write.put_claims.back().owner.clear();
    }
    return write;
  });
  if (!released.ok()) {
    context_.log.Warning("claims_not_released", {{"error", released.error().ToString()}});
  }
}

CommandWorkerMetrics::CommandWorkerMetrics(Metrics& metrics, const std::string& handler)
    : accepted_(metrics.NewCounter("saffron_worker_decided_total", "Commands decided",
                                   {{"handler", handler}, {"result", "accepted"}})),
      rejected_(metrics.NewCounter("saffron_worker_decided_total", "Commands decided",
                                   {{"handler", handler}, {"result", "rejected"}})),
      parked_(metrics.NewCounter("saffron_worker_parked_total", "Aggregates parked",
                                 {{"handler", handler}})),
      waiting_(metrics.NewGauge("saffron_worker_waiting_commands", "Commands held in memory",
                                {{"handler", handler}})) {}

void CommandWorkerMetrics::Decided(std::size_t accepted, std::size_t rejected) {
  accepted_.Increment(static_cast<double>(accepted));
  rejected_.Increment(static_cast<double>(rejected));
}
void CommandWorkerMetrics::Parked() { parked_.Increment(); }
void CommandWorkerMetrics::Waiting(std::size_t commands) {
  waiting_.Set(static_cast<double>(commands));
}

}  // namespace saffron
