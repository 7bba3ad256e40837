#include "tests/sim/pipeline_world.h"

#include <cstdio>

#include "base/channel.h"
#include "eventlog/mutation.h"
#include "eventlog/recovery.h"
#include "eventlog/resolver.h"
#include "services/publisher/checkpoint.h"

namespace saffron {
namespace {

// One for all worlds of the thread: a stack that was made, and touched, is not made again.
FiberPool& Stacks() {
  thread_local FiberPool pool;
  return pool;
}

std::int64_t EngineMillis(Simulation& sim) {
  return 1'767'225'600'000 + std::chrono::duration_cast<milliseconds>(sim.Now()).count();
}

// What the registry has not settled, for people; empty: nothing.
std::string UnsettledIn(const MemoryRegistry::Rows& rows, const std::string& live_incarnation) {
  if (!rows.reservations.empty()) return "reservations";
  if (rows.control.fenced_incarnation != live_incarnation) return "not fenced";
  if (rows.undecided.empty()) return "";
  const CommandRow& row = rows.commands.at(rows.undecided.begin()->second);
  return std::to_string(rows.undecided.size()) + " undecided, the first " +
         row.aggregate.ToString() + " " + std::to_string(row.number.value);
}

std::string PublishedAbove(const MemoryRegistry::Rows& rows, SlotNumber slot) {
  std::string text;
  for (const auto& [key, row] : rows.published) {
    if (row.slot <= slot) continue;
    text += " " + std::to_string(row.slot.value) + "(";
    for (const auto& [partition, end] : row.ends) {
      text += partition.first + "/" + std::to_string(partition.second) + "=" + std::to_string(end) +
              " ";
    }
    text += ")";
  }
  return text;
}

}  // namespace

PipelineWorld::PipelineWorld(const PipelineOptions& given)
    : options(given),
      sim_({.seed = given.seed,
            .switch_cost = std::chrono::microseconds(1),
            .kept_trace_lines = given.kept_trace_lines,
            .pool = &Stacks()}),
      rates_(given.rates),
      lost_answer_one_in_(given.lost_answer_one_in),
      environment_(sim_, "environment"),
      late_tasks_(environment_),
      registry({[this] { return EngineMillis(sim_) + engine_offset_ms_; }, "engine-1",
                [this](SlotNumber slot) { TellSettled(slot); }}),
      bus(environment_, {.session_timeout = seconds(4)}) {
  EventLogFormat wanted;
  wanted.max_outstanding = given.max_outstanding;
  wanted.max_event_bytes = given.max_event_bytes;
  Result<EventLogFormat> opened = OpenFormat(store, environment_, wanted, false);
  SAFFRON_ASSERT(opened.ok());
  format = *opened;
  if (Mutated(Mutation::kSinksIgnoreVersions)) {
    graph.IgnoreVersions();
    search.IgnoreVersions();
  }
  if (Mutated(Mutation::kGraphIgnoresEpochs)) graph.IgnoreEpochs();
}

PipelineWorld::~PipelineWorld() { StopAll(); }

PipelineNode& PipelineWorld::Start(const std::string& host, std::uint32_t roles) {
  nodes_.push_back(std::make_unique<PipelineNode>(*this, host, ++runs_, roles));
  PipelineNode& node = *nodes_.back();
  const std::int64_t skew_ms = std::int64_t{Below(2 * options.skew_ms + 1)} - options.skew_ms;
  node.process_.SetWallOffset(milliseconds(skew_ms));
  node.plan_.CrashBy([this, &node] { CrashAndRestart(node); });
  node.plan_.Suffer(troubles_);
  node.tasks_.Spawn("main", [&node] { node.Main(); });
  return node;
}

void PipelineWorld::CrashAndRestart(PipelineNode& node) {
  Crash(node);
  late_tasks_.Spawn("restart", [this, &node, delay = milliseconds(Below(1500))] {
    if (environment_.SleepFor(delay) && !ending_) Start(node.host(), node.roles());
  });
}

void PipelineWorld::Crash(PipelineNode& node) {
  node.process_.Crash();
  if (node.context_ == nullptr) return;
  node.context_->committed.Nudge();
  node.context_->settled.Nudge();
}

void PipelineWorld::Stop(PipelineNode& node) {
  node.process_.Resume();
  node.process_.RequestStop();
  if (node.context_ == nullptr) return;
  node.context_->committed.Nudge();
  node.context_->settled.Nudge();
}

PipelineNode* PipelineWorld::AnyLive(std::uint32_t role) {
  std::vector<PipelineNode*> live;
  for (auto& node : nodes_) {
    if ((node->roles_ & role) == 0 || node->cut_off_) continue;
    if (role == kOms ? node->serves() : node->live()) live.push_back(node.get());
  }
  return live.empty() ? nullptr : live[Below(static_cast<std::uint32_t>(live.size()))];
}

void PipelineWorld::RestartRegistry(const MemoryRegistry::Backup& backup) {
  sim_.Trace("registry restart");
  if (backup != nullptr) registry.Restore(backup);
  registry.SetLiveIncarnation("engine-" + std::to_string(++incarnations_));
}

void PipelineWorld::Trouble(Store store, StoreTrouble trouble, Duration how_long) {
  StoreTrouble& now = troubles_[static_cast<std::size_t>(store)];
  now = trouble;
  late_tasks_.Spawn("outage", [this, &now, how_long] {
    environment_.SleepFor(how_long);
    now = StoreTrouble::kNone;
  });
}

void PipelineWorld::Damage(const std::string& key, bool cut, std::uint32_t pick,
                           Duration how_long) {
  if (damaged_.contains(key)) return;
  const MemoryObjectStore::Object whole = store.Snapshot().at(key);
  const std::size_t size = whole.bytes->size();
  cut ? store.Truncate(key, pick % size) : store.Corrupt(key, pick % (8 * size));
  damaged_[key] = {whole, store.Snapshot().at(key).bytes};
  late_tasks_.Spawn("mend", [this, key, how_long] {
    environment_.SleepFor(how_long);
    Mend(key);
  });
}

void PipelineWorld::Mend(const std::string& key) {
  auto damaged = damaged_.find(key);
  if (damaged == damaged_.end()) return;
  MemoryObjectStore::Contents contents = store.Snapshot();
  auto object = contents.find(key);
  // Unless it was replaced meanwhile, as a checkpoint is.
  if (object != contents.end() && object->second.bytes == damaged->second.damaged) {
    object->second = damaged->second.whole;
    store.Restore(std::move(contents));
  }
  damaged_.erase(damaged);
}

void PipelineWorld::KeepSinks() {
  kept_graph_ = graph.Snapshot();
  kept_search_ = search.Snapshot();
}

void PipelineWorld::CutPower() {
  sim_.Trace("power cut");
  ++power_cuts;
  for (std::uint64_t& era : counts.eras) ++era;
  std::vector<PipelineNode*> live;
  for (auto& node : nodes_) {
    if (node->live()) live.push_back(node.get());
  }
  for (PipelineNode* node : live) Crash(*node);
  if (kept_graph_) graph.Restore(*kept_graph_);
  if (kept_search_ != nullptr) search.Restore(kept_search_);
  for (PipelineNode* node : live) Start(node->host(), node->roles());
}

std::string PipelineWorld::Unbounded() {
  const auto reservations = [](const auto& rows) { return rows.reservations.size(); };
  if (registry.Inspect(reservations) > options.max_outstanding) {
    return "more reservations than the format allows";
  }
  for (auto& node : nodes_) {
    // Beside what waits, the batches of two lanes may have been put back.
    if (node->ready() && node->append_->queued_events() > options.max_queued_events + 16) {
      return "the queue of " + node->process_.name() + " is too long";
    }
  }
  return "";
}

void PipelineWorld::Heal() {
  rates_ = FaultRates();
  troubles_.fill(StoreTrouble::kNone);
  while (!damaged_.empty()) Mend(std::string(damaged_.begin()->first));
  lost_answer_one_in_ = 0;
  for (auto& node : nodes_) node->process_.Resume();
}

void PipelineWorld::CutOff(std::uint32_t pick) {
  std::vector<PipelineNode*> live;
  for (auto& node : nodes_) {
    if (node->live()) live.push_back(node.get());
  }
  if (live.empty()) return;
  const std::size_t stores = cut_off_.size();
  cut_off_[pick % stores] = pick / stores % 3 == 0 ? StoreTrouble::kFull : StoreTrouble::kAway;
  PipelineNode& node = *live[pick / stores / 3 % live.size()];
  node.cut_off_ = true;
  node.plan_.Suffer(cut_off_);
}

void PipelineWorld::StopAll() {
  ending_ = true;
  for (auto& node : nodes_) Crash(*node);
  for (auto& node : nodes_) node->tasks_.JoinAll();
  environment_.Crash();
  late_tasks_.JoinAll();
}

// As the notifications of a registry that is a server; some get lost, with the others of an outage.
void PipelineWorld::TellSettled(SlotNumber slot) {
  if (!options.deployed) return;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {  // others are started while one hears
    PipelineNode& node = *nodes_[i];
    if (node.context_ == nullptr || !node.live()) continue;
    const bool lost = rates_.lost_answer > 0 && Below(1000) < rates_.lost_answer;
    if (!lost) node.Hear(slot);
  }
}

SlotDecoder PipelineWorld::decoder() {
  return [this, decode = DecoderOf(format)](std::string bytes, SlotNumber slot) -> Result<SlotPtr> {
    SlotPtr& known = decoded_[slot.value];
    if (known == nullptr || known->bytes != bytes) {
      SAFFRON_ASSIGN(known, decode(std::move(bytes), slot));
    }
    return known;
  };
}

SlotNumber PipelineWorld::LastSlot() const {
  return SlotOfKey(0, store.LastKey(SlotPrefix(0))).value_or(SlotNumber());
}

std::string PipelineWorld::Unsettled() {
  const std::string live = registry.Read(RegistryRead())->live_incarnation;
  std::string unsettled =
      registry.Inspect([&](const MemoryRegistry::Rows& rows) { return UnsettledIn(rows, live); });
  if (!unsettled.empty()) return unsettled;
  const SlotNumber last = LastSlot();
  if (graph.State()->position.slot != last) return "the graph is behind";
  Result<StoredObject> stored = store.Get(kPipelineCheckpoint);
  if (!stored.ok()) return "no checkpoint";
  Result<PublisherCheckpoint> checkpoint = DecodeCheckpoint(stored->bytes);
  if (!checkpoint.ok()) return "the checkpoint is unreadable";
  if (checkpoint->republish) return "a republish is under way";
  if (checkpoint->shards[0] != last) return "the publisher is behind";
  Result<ProjectionWatermark> watermark = DecodeWatermark(*search.Watermark());
  if (!watermark.ok()) return "the watermark is unreadable";
  if (watermark->slot == last) return "";
  return "the projection is at " + std::to_string(watermark->slot.value) + " of " +
         std::to_string(last.value) + ": " + *search.Watermark() + ", rows" +
         registry.Inspect([&](const auto& rows) { return PublishedAbove(rows, watermark->slot); });
}

std::vector<BusRecord> PipelineWorld::Records(const std::string& topic) {
  std::vector<BusRecord> all;
  auto task = environment_.Spawn("reader", [&] {
    auto consumer = bus.Subscribe("reader-" + std::to_string(++readers_), {topic});
    SAFFRON_ASSERT(consumer.ok());
    while (true) {
      auto batch = (*consumer)->Poll(1000, milliseconds(1));
      SAFFRON_ASSERT(batch.ok());
      if (batch->records.empty() && batch->assigned.empty()) return;
      for (BusRecord& record : batch->records) all.push_back(std::move(record));
    }
  });
  task->Join();
  return all;
}

PipelineNode::PipelineNode(PipelineWorld& world, std::string host, int run, std::uint32_t roles)
    : world_(world),
      host_(std::move(host)),
      roles_(roles),
      process_(world.sim_, host_ + "/" + std::to_string(run)),
      plan_(process_, world.environment_, world.late_tasks_, world.rates_, world.counts),
      store_(world.store, plan_),
      registry_(world.registry, plan_),
      claims_(world.registry, plan_),
      bus_(world.bus, plan_),
      graph_(world.graph, plan_),
      search_(world.search, plan_),
      log_(
          {.level = world.options.log_level}, [this] { return process_.WallNow(); },
          [this](std::string_view line) {
            std::printf("%s %.*s", process_.name().c_str(), static_cast<int>(line.size()),
                        line.data());
          }),
      tasks_(process_) {}

void PipelineNode::Main() {
  context_ = std::make_unique<LogContext>(process_, store_, registry_, log_, world_.format, 0u,
                                          process_.name(), false);
  context_->decode = world_.decoder();
  if (world_.options.deployed) context_->reads_at_once = 4;
  context_->told.store(world_.options.deployed);
  while (!OpenRegistry(*context_).ok()) {
    if (!process_.SleepFor(milliseconds(100))) return;
  }
  AppendOptions options;
  options.reservation = seconds(2);
  if (world_.options.deployed) options.settle_linger = milliseconds(5);
  options.limits.max_events = 8;
  options.max_queued_events = world_.options.max_queued_events;
  append_ = std::make_unique<AppendLog>(*context_, options, nullptr);
  append_->Start();
  Resolver resolver(*context_, [this] { append_->Wake(); });
  TaskGroup services(process_);
  services.Spawn("resolver", [&resolver] { resolver.Run(); });
  if ((roles_ & kOms) != 0) StartOms();
  if ((roles_ & kOntologyWorkerRole) != 0) {
    StartWorker(services, kOntologyWorker,
                {std::string(kDatabaseCommandsTopic), std::string(kOntologyCommandsTopic)});
  }
  if ((roles_ & kInstanceWorkerRole) != 0) {
    StartWorker(services, kInstanceWorker, {std::string(kInstanceCommandsTopic)});
  }
  StartFollowers(services);
  while (process_.SleepFor(seconds(3600))) {
  }
  append_->Stop(process_.Now());
  if (requests_ != nullptr) requests_->Stop();
  services.JoinAll();
}

void PipelineNode::StartOms() {
  catalog_ = std::make_unique<OntologyCatalog>(*context_);
  RequestTasks::Options options;
  options.tasks = 2;
  requests_ = std::make_unique<RequestTasks>(process_, options);
  requests_->Start();
  service_ = std::make_unique<CommandService>(*context_, *append_, *catalog_, *requests_);
  stored_progress_ = std::make_unique<StoredProgress>(process_, search_, claims_);
}

ReadSeen PipelineNode::Read(Runtime& client, const ReadAsk& ask, Duration timeout) {
  auto promise = std::make_shared<Promise<ReadSeen>>(client);
  tasks_.Spawn("read", [this, ask, timeout, promise] {
    ReadSeen seen;
    Serve(ask, process_.Now() + timeout, seen);
    if (!process_.crashed()) promise->Set(std::move(seen));
  });
  return promise->Wait(client.Now() + timeout + milliseconds(100)).value_or(ReadSeen());
}

void PipelineNode::Serve(const ReadAsk& ask, Instant deadline, ReadSeen& seen) {
  SinkProgress progress(*context_, graph_, search_,
                        [this](SlotNumber slot) { return stored_progress_->Passed(0, slot); });
  ReadGate gate(*context_, claims_, progress,
                {ask.store, "sim", ask.aggregate, ask.min_seq, ask.min_position});
  for (;;) {
    Result<bool> passed = gate.Pass();
    if (passed.ok() && *passed) break;
    if (process_.Now() > deadline || !process_.SleepFor(milliseconds(60))) return;
  }
  if (!gate.warnings().empty()) return;  // a parked aggregate was passed over
  if (ask.store == ReadStore::kGraph) {
    auto nodes = graph_.Get({ask.aggregate});
    seen.answered = nodes.ok();
    if (!nodes.ok() || nodes->empty()) return;
    const GraphNode& node = nodes->begin()->second;
    seen = {true, node.version, node.lifecycle, node.document};
    return;
  }
  auto documents = search_.Get({ask.aggregate});
  seen.answered = documents.ok();
  if (!documents.ok() || documents->empty()) return;
  const SearchDocument& document = documents->begin()->second;
  seen = {true, document.version, document.lifecycle, document.document};
}

void PipelineNode::Hear(SlotNumber slot) {
  context_->committed.Raise(slot);
  context_->settled.Raise(slot);
  if (append_ != nullptr) append_->Wake();
}

void PipelineNode::StartWorker(TaskGroup& services, std::string_view handler,
                               std::vector<std::string> topics) {
  CommandWorkerOptions options;
  options.terms.handler = handler;
  options.terms.owner = process_.name();
  options.terms.lease_ms =
      std::chrono::duration_cast<milliseconds>(world_.options.worker_lease).count();
  options.terms.heartbeat_ms = 500;
  options.topics = std::move(topics);
  options.append_timeout = seconds(3);
  options.poll = milliseconds(250);  // the bus wakes who waits
  options.stand_back_after = seconds(6);
  options.stand_back = seconds(3);
  options.sweep_every = world_.options.sweep_every;
  options.sweep_most = world_.options.sweep_most;
  workers_.push_back(
      std::make_unique<CommandWorker>(*context_, *append_, claims_, bus_, options, nullptr));
  services.Spawn(std::string(handler), [worker = workers_.back().get()] { worker->Run(); });
}

void PipelineNode::StartFollowers(TaskGroup& services) {
  if ((roles_ & kPublisher) != 0) {
    PublisherOptions options;
    options.owner = process_.name();
    options.topics = AllTopics(world_.options.partitions);
    options.lease = seconds(3);
    options.save_interval = milliseconds(300);
    options.check_interval = seconds(6);
    publisher_ = std::make_unique<Publisher>(*context_, bus_, claims_, options, nullptr);
    services.Spawn("publisher", [this] { publisher_->Run(); });
  }
  if ((roles_ & kGraphRole) != 0 && world_.options.claim_retention > Duration(0)) {
    pruner_ = std::make_unique<ClaimPruner>(
        process_, claims_,
        ClaimPrunerOptions{process_.name(), world_.options.claim_retention, 4, milliseconds(50),
                           milliseconds(500)});
    services.Spawn("pruner", [this] { pruner_->Run(); });
  }
  if ((roles_ & kGraphRole) != 0) {
    GraphWriterOptions options;
    options.owner = process_.name();
    options.lease = seconds(3);
    graph_writer_ =
        std::make_unique<GraphWriter>(*context_, graph_, claims_, bus_, options, nullptr);
    services.Spawn("graph", [this] { graph_writer_->Run(); });
  }
  if ((roles_ & kProjectionRole) != 0) {
    ProjectionOptions options;
    options.owner = process_.name();
    options.stand_back_after = seconds(6);
    options.stand_back = seconds(3);
    progress_ = std::make_unique<ProjectionProgress>();
    projection_ = std::make_unique<Projection>(*context_, bus_, claims_, search_, *progress_,
                                               options, nullptr);
    services.Spawn("projection", [this] { projection_->Run(); });
  }
}

WriteAnswer PipelineNode::Call(Runtime& client, WriteRequest request, Duration timeout) {
  WriteAnswer none;
  none.code = WriteCode::kUnknown;
  none.items.resize(request.commands.size());
  auto promise = std::make_shared<Promise<WriteAnswer>>(client);
  request.deadline = process_.Now() + timeout;
  service_->Write(std::move(request), [this, promise](WriteAnswer answer) {
    const std::uint32_t one_in = world_.lost_answer_one_in_;
    const bool lost = one_in != 0 && world_.Below(one_in) == 0;
    if (!process_.crashed() && !lost) promise->Set(std::move(answer));
  });
  return promise->Wait(client.Now() + timeout + milliseconds(100)).value_or(std::move(none));
}

}  // namespace saffron
