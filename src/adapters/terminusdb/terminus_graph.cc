#include "adapters/terminusdb/terminus_graph.h"

#include <algorithm>

#include "adapters/terminusdb/terminus_answers.h"
#include "adapters/terminusdb/terminus_generation.h"
#include "adapters/terminusdb/terminus_query.h"
#include "net/url.h"

namespace saffron {

using terminus::Answer;
using terminus::Bindings;
using terminus::Fence;
using terminus::IdOf;
using terminus::kPointerId;
using terminus::Woql;

namespace {

// How long a process may go on reading a generation that another one has replaced but could not
// drop. One that is dropped is noticed at once.
constexpr Duration kPointerAge = seconds(1);
constexpr int kQueryAttempts = 8;
// Up to so many nodes are asked for one by one who links to them; then for their whole class.
constexpr std::size_t kSingleLookups = 16;

}  // namespace

class TerminusGraph::Server {
 public:
  Server(std::unique_ptr<terminus::Client> c, Runtime& r, Log& l)
      : client(std::move(c)), runtime(r), log(l) {}

  std::shared_ptr<Generation> Make(std::uint64_t number) {
    return std::make_shared<Generation>(*client, log, number);
  }
  // kNotFound: nobody has made the graph yet.
  Result<std::uint64_t> ReadPointer();
  Status SetUp();
  // False when it did not name `from`.
  Result<bool> SwapPointer(std::uint64_t from, std::uint64_t to);
  // The numbers of all generations that have a database.
  Result<std::vector<std::uint64_t>> Generations();

  const std::unique_ptr<terminus::Client> client;
  Runtime& runtime;
  Log& log;
};

Result<std::uint64_t> TerminusGraph::Server::ReadPointer() {
  SAFFRON_ASSIGN(Answer answer,
                 client->Read("GET",
                              client->Path("document", client->options().database) +
                                  "?id=" + PercentEncode(kPointerId) + "&as_list=true",
                              {}));
  if (answer.error == "UnknownDatabase") return NotFound("TerminusDB: no graph");
  auto documents = terminus::ParseDocumentList(answer.body);
  if (answer.status != 200 || !documents) return Unexpected("read the live generation", answer);
  if (documents->empty()) return NotFound("TerminusDB: no graph");
  auto number = terminus::ParseGeneration(terminus::StateOfFence(documents->front()).value_or(""));
  if (!number) return Corrupt("TerminusDB: " + std::string(kPointerId) + " names no generation");
  return *number;
}

// Several processes may do this at once: every step finds what another one has done.
Status TerminusGraph::Server::SetUp() {
  SAFFRON_TRY(Make(1)->Create(0));
  return Generation(*client, log, client->options().database).CreateWith(kPointerId, "1");
}

Result<bool> TerminusGraph::Server::SwapPointer(std::uint64_t from, std::uint64_t to) {
  Woql query;
  query.Match(kPointerId, "state", std::to_string(from));
  query.WriteFence(kPointerId, std::to_string(to));
  return Generation(*client, log, client->options().database).Swap(std::move(query));
}

Result<std::vector<std::uint64_t>> TerminusGraph::Server::Generations() {
  SAFFRON_ASSIGN(Answer answer, client->Read("GET", "/api/db", {}));
  const std::string prefix = client->options().account + "/" + client->options().database + "_g";
  auto numbers = terminus::ParseGenerations(answer.body, prefix);
  if (answer.status != 200 || !numbers) return Unexpected("list databases", answer);
  return std::move(*numbers);
}

TerminusGraph::TerminusGraph(std::shared_ptr<Server> server, std::shared_ptr<Generation> live,
                             Follows follows)
    : server_(std::move(server)), follows_(follows), live_(std::move(live)) {}

TerminusGraph::~TerminusGraph() = default;

Result<std::unique_ptr<TerminusGraph>> TerminusGraph::Open(TerminusGraphOptions options,
                                                           Runtime& runtime, Log& log) {
  SAFFRON_ASSIGN(auto client, terminus::Client::Open(std::move(options)));
  SAFFRON_TRY(client->CheckCredentials());
  const bool make = client->options().when_missing == WhenMissing::kMake;
  auto server = std::make_shared<Server>(std::move(client), runtime, log);
  Result<std::uint64_t> live = server->ReadPointer();
  if (live.Is(Code::kNotFound) && make) {
    SAFFRON_TRY(server->SetUp());
    live = server->ReadPointer();
  }
  SAFFRON_ASSIGN(const std::uint64_t number, std::move(live));
  auto generation = server->Make(number);
  return std::unique_ptr<TerminusGraph>(
      new TerminusGraph(std::move(server), std::move(generation), Follows::kPointer));
}

Result<std::shared_ptr<TerminusGraph::Generation>> TerminusGraph::Live() {
  const Instant now = server_->runtime.Now();
  {
    std::lock_guard lock(mutex_);
    if (follows_ == Follows::kNothing) return live_;
    if (looked_at_ && now < *looked_at_ + kPointerAge) return live_;
    looked_at_ = now;  // the others go on with the one they know
  }
  Result<std::uint64_t> number = server_->ReadPointer();
  if (!number.ok()) {
    LookAgain();
    if (number.Is(Code::kNotFound)) return Unavailable("TerminusDB: the graph was removed");
    return number.error();
  }
  std::lock_guard lock(mutex_);
  if (live_->number() != *number) live_ = server_->Make(*number);
  return live_;
}

void TerminusGraph::LookAgain() {
  std::lock_guard lock(mutex_);
  looked_at_.reset();
}

template <class Call>
auto TerminusGraph::OnLive(const Call& call) -> decltype(call(std::declval<Generation&>())) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    SAFFRON_ASSIGN(std::shared_ptr<Generation> live, Live());
    auto result = call(*live);
    if (!result.Is(Code::kNotFound)) return result;
    if (follows_ == Follows::kNothing) return Conflict("this generation was dropped");
    LookAgain();
  }
  return Unavailable("TerminusDB: the database of the live generation is missing");
}

Result<GraphState> TerminusGraph::State() {
  return OnLive([](Generation& live) -> Result<GraphState> {
    SAFFRON_ASSIGN(Fence fence, live.ReadFence());
    GraphState state;
    state.epoch = fence.epoch;
    state.position = fence.position;
    state.generation = std::to_string(live.number());
    state.ontology_version = fence.ontology + 1;
    return state;
  });
}

Status TerminusGraph::TakeOver(std::uint64_t epoch) {
  return OnLive([&](Generation& live) { return live.TakeOver(epoch); });
}

Status TerminusGraph::Commit(const GraphCommit& commit) {
  return OnLive([&](Generation& live) { return live.Commit(commit); });
}

Result<std::map<AggregateKey, GraphNode>> TerminusGraph::Get(
    const std::vector<AggregateKey>& keys) {
  std::map<AggregateKey, GraphNode> found;
  if (keys.empty()) return found;
  std::vector<std::string> ids;
  for (const AggregateKey& key : keys) ids.push_back(IdOf(key));
  SAFFRON_ASSIGN(auto documents, OnLive([&](Generation& live) {
                   std::string version;
                   return live.Read(ids, version);
                 }));
  for (auto& [id, stored] : documents) {
    AggregateKey key = stored.node.key;
    found.emplace(std::move(key), std::move(stored.node));
  }
  return found;
}

Result<std::vector<GraphNode>> TerminusGraph::List(AggregateType type, std::string_view id_prefix,
                                                   std::string_view after, std::size_t limit) {
  if (limit == 0) return std::vector<GraphNode>();
  return OnLive([&](Generation& live) { return live.List(type, id_prefix, after, limit); });
}

Result<GraphResult> TerminusGraph::Query(const GraphQuery& query) {
  return OnLive([&](Generation& live) -> Result<GraphResult> {
    for (int attempt = 0; attempt < kQueryAttempts; ++attempt) {
      Result<GraphResult> result = live.Query(query);
      if (!result.Is(Code::kConflict)) return result;
    }
    return Unavailable("TerminusDB: the graph moves on faster than it can be queried");
  });
}

Status TerminusGraph::DropUnfinished(std::uint64_t live, std::uint64_t& newest) {
  SAFFRON_ASSIGN(std::vector<std::uint64_t> numbers, server_->Generations());
  newest = live;
  for (std::uint64_t number : numbers) {
    newest = std::max(newest, number);
    if (number != live) SAFFRON_TRY(server_->Make(number)->Drop());
  }
  return Ok();
}

Result<std::unique_ptr<GraphStore>> TerminusGraph::NewGeneration() {
  LookAgain();
  SAFFRON_ASSIGN(std::shared_ptr<Generation> live, Live());
  std::uint64_t newest = 0;
  SAFFRON_TRY(DropUnfinished(live->number(), newest));
  // The fence holds for the new one too.
  SAFFRON_ASSIGN(Fence fence, live->ReadFence());
  auto made = server_->Make(newest + 1);
  SAFFRON_TRY(made->Create(fence.epoch));
  std::lock_guard lock(mutex_);
  unfinished_ = made;
  return std::unique_ptr<GraphStore>(
      new TerminusGraph(server_, std::move(made), Follows::kNothing));
}

Status TerminusGraph::Activate(GraphStore& next) {
  auto* other = dynamic_cast<TerminusGraph*>(&next);
  if (other == nullptr || other == this) return Invalid("not a generation of this graph");
  SAFFRON_ASSIGN(std::shared_ptr<Generation> made, other->Live());
  {
    std::lock_guard lock(mutex_);
    if (unfinished_.lock() != made) return Invalid("not the newest generation of this graph");
  }
  LookAgain();
  SAFFRON_ASSIGN(std::shared_ptr<Generation> live, Live());
  // Already so: the answer to an earlier try was lost.
  if (live->number() != made->number()) {
    SAFFRON_ASSIGN(Fence mine, live->ReadFence());
    Result<Fence> theirs = made->ReadFence();
    if (theirs.Is(Code::kNotFound)) return Invalid("this generation was dropped");
    if (!theirs.ok()) return theirs.error();
    if (mine.epoch > theirs->epoch) return Conflict("the graph is of a later epoch");
    SAFFRON_ASSIGN(bool swapped, server_->SwapPointer(live->number(), made->number()));
    if (!swapped) return Conflict("another generation was made the live one");
    // Who still reads the old one finds it gone and looks where the pointer is. What cannot be
    // dropped now is dropped before the next generation is made.
    if (Status dropped = live->Drop(); !dropped.ok()) {
      server_->log.Warning("terminusdb.generation_not_dropped",
                           {{"database", live->database()}, {"error", dropped.error().ToString()}});
    }
  }
  std::lock_guard lock(mutex_);
  live_ = std::move(made);
  unfinished_.reset();
  return Ok();
}

// -- queries --------------------------------------------------------------------------------------

Result<GraphResult> TerminusGraph::Generation::Query(const GraphQuery& query) {
  std::string version;  // of the commit that all of it is read in
  terminus::QuerySource source;
  source.live = [&](std::string_view class_id) -> Result<std::vector<std::string>> {
    std::vector<std::string> ids;
    const std::string live = terminus::LiveOf(query.scope, class_id);
    if (live.empty()) return ids;
    Woql who;
    who.Match("?S", "live", live);
    SAFFRON_ASSIGN(std::vector<AggregateKey> keys, ReadKeys(std::move(who), version));
    for (AggregateKey& key : keys) ids.push_back(std::move(key.id));
    return ids;
  };
  source.read = [&](const std::vector<std::string>& keys) -> Result<std::vector<GraphNode>> {
    std::vector<std::string> ids;
    for (const std::string& key : keys) ids.push_back(IdOf({AggregateType::kInstance, key}));
    SAFFRON_ASSIGN(Documents documents, Read(ids, version));
    std::vector<GraphNode> nodes;
    for (auto& [id, stored] : documents) {
      auto parts = SplitAggregateId(stored.node.key);
      const std::string live =
          parts.ok() ? terminus::LiveOf(query.scope, parts->class_id) : std::string();
      if (!live.empty() && stored.live == live) nodes.push_back(std::move(stored.node));
    }
    return nodes;
  };
  source.linking = [&](const std::vector<std::string>& keys) {
    return ReadLinks(query.scope, keys, version);
  };
  return terminus::RunQuery(source, query);
}

Result<terminus::QuerySource::Links> TerminusGraph::Generation::ReadLinks(
    const LiveScope& scope, const std::vector<std::string>& keys, std::string& version) {
  terminus::QuerySource::Links links;
  auto ask = [&](Woql who, const std::string& only_target) -> Status {
    SAFFRON_ASSIGN(Bindings found, Ask(std::move(who), "S", "T", version));
    for (const auto& [from, to] : found.pairs) {
      auto source = terminus::KeyOf(from);
      auto target = only_target.empty() ? terminus::KeyOf(to) : std::nullopt;
      if (!source || (only_target.empty() && !target)) {
        return Corrupt("TerminusDB: not the id of a node: " + from);
      }
      links.emplace_back(std::move(source->id), target ? std::move(target->id) : only_target);
    }
    return Ok();
  };
  if (keys.size() <= kSingleLookups) {
    for (const std::string& key : keys) {
      Woql who;
      who.MatchLink("?S", "links", IdOf({AggregateType::kInstance, key}));
      SAFFRON_TRY(ask(std::move(who), key));
    }
    return links;
  }
  std::vector<std::string> classes;
  for (const std::string& key : keys) {
    const AggregateKey instance{AggregateType::kInstance, key};
    auto parts = SplitAggregateId(instance);
    if (parts.ok()) classes.push_back(terminus::LiveOf(scope, parts->class_id));
  }
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  for (const std::string& live : classes) {
    Woql who;
    who.Match("?T", "live", live);
    who.MatchLink("?S", "links", "?T");
    SAFFRON_TRY(ask(std::move(who), {}));
  }
  return links;
}

}  // namespace saffron
