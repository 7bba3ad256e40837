#include "adapters/terminusdb/terminus_generation.h"

#include <algorithm>
#include <utility>

#include "net/url.h"

namespace saffron {

using terminus::Answer;
using terminus::Bindings;
using terminus::Fence;
using terminus::IdOf;
using terminus::KeyOf;
using terminus::kFenceId;
using terminus::StoredNode;
using terminus::Woql;

namespace {

constexpr std::size_t kIdsARequest = 1024;
constexpr std::size_t kFewIds = 64;  // whose documents fit into an answer, however large they are
constexpr std::size_t kKnown = 200'000;
// A commit that loses its fence to another one of this epoch (whose answer was lost) tries again.
constexpr int kAttempts = 4;
constexpr std::string_view kWrite = "?author=saffron&message=graph";

bool BlamesADocument(std::string_view error) {
  for (std::string_view known :
       {"SchemaCheckFailure", "BadCast", "UnknownPrefixError",
        "SubmittedDocumentIdDoesNotHaveExpectedPrefix", "SubmittedIdDoesNotMatchGeneratedId"}) {
    if (error == known) return true;
  }
  return false;
}

bool IsGone(const Answer& answer) { return answer.error == "UnknownDatabase"; }

std::string IdsBody(const std::vector<std::string>& ids, std::size_t from, std::size_t to) {
  std::string body = R"({"as_list":true,"ids":[)";
  for (std::size_t i = from; i < to; ++i) {
    if (i > from) body.push_back(',');
    json::AppendString(body, ids[i]);
  }
  return body + "]}";
}

// The newest of each aggregate; kInvalid for an id that is none.
Result<std::vector<const GraphNode*>> NewestOf(const GraphCommit& commit) {
  std::map<AggregateKey, const GraphNode*> newest;
  for (const GraphNode& node : commit.nodes) {
    if (auto parts = SplitAggregateId(node.key); !parts.ok()) return parts.error();
    if (node.version == SequenceNumber()) continue;
    const GraphNode*& slot = newest[node.key];
    if (slot == nullptr || slot->version < node.version) slot = &node;
  }
  std::vector<const GraphNode*> nodes;
  nodes.reserve(newest.size());
  for (const auto& [key, node] : newest) nodes.push_back(node);
  return nodes;
}

std::vector<std::string> TargetsOf(const GraphNode& node) {
  std::vector<std::string> ids;
  const AggregateParts parts = SplitAggregateId(node.key).value();
  for (const Reference& reference : node.references) {
    ids.push_back(IdOf(terminus::TargetOf(parts, reference)));
  }
  return ids;
}

}  // namespace

Result<Answer> TerminusGraph::Generation::Read(std::string_view method, std::string path,
                                               std::string body, std::string_view version) {
  SAFFRON_ASSIGN(Answer answer, client_.Read(method, std::move(path), std::move(body), version));
  if (IsGone(answer)) return NotFound("TerminusDB: no database " + database_);
  return answer;
}

Status TerminusGraph::Generation::Create(std::uint64_t epoch) {
  return CreateWith(kFenceId, Fence{epoch, {}, 0, 0}.ToString());
}

Status TerminusGraph::Generation::CreateWith(std::string_view fence_id, const std::string& state) {
  const std::string label = R"({"label":"saffron","comment":"Saffron's graph","schema":true})";
  SAFFRON_ASSIGN(Answer made, client_.Write("POST", client_.Path("db", database_), label));
  if (made.status != 200 && made.error != "DatabaseAlreadyExists") {
    return Unexpected("create database " + database_, made);
  }
  const std::string documents = client_.Path("document", database_) + std::string(kWrite);
  SAFFRON_ASSIGN(Answer schema,
                 client_.Write("POST", documents + "&graph_type=schema&full_replace=true",
                               std::string(terminus::kSchema)));
  if (schema.status != 200) return Unexpected("write the schema of " + database_, schema);
  SAFFRON_ASSIGN(Answer fence,
                 client_.Write("POST", documents, terminus::FenceDocument(fence_id, state)));
  if (fence.status != 200 && fence.error != "DocumentIdAlreadyExists") {
    return Unexpected("write the fence of " + database_, fence);
  }
  return Ok();
}

Status TerminusGraph::Generation::Drop() {
  SAFFRON_ASSIGN(Answer answer, client_.Write("DELETE", client_.Path("db", database_), {}));
  if (answer.status == 200 || IsGone(answer)) return Ok();
  return Unexpected("drop database " + database_, answer);
}

Result<Fence> TerminusGraph::Generation::ReadFence() {
  SAFFRON_ASSIGN(Answer answer, Read("GET",
                                     client_.Path("document", database_) +
                                         "?id=" + PercentEncode(kFenceId) + "&as_list=true",
                                     {}));
  auto documents = terminus::ParseDocumentList(answer.body);
  if (answer.status != 200 || !documents) return Unexpected("read the fence", answer);
  // An empty list: whoever makes this database has not come to its end.
  if (documents->empty()) return Unavailable("TerminusDB: no fence yet in " + database_);
  auto state = terminus::StateOfFence(documents->front());
  auto fence = state ? Fence::Parse(*state) : std::nullopt;
  if (!fence) return Corrupt("TerminusDB: the fence of " + database_ + " cannot be read");
  return *fence;
}

// -- commits --------------------------------------------------------------------------------------

template <class OnDocument>
Status TerminusGraph::Generation::ReadEach(const std::vector<std::string>& ids,
                                           std::string& version, OnDocument on_document) {
  std::size_t count = kIdsARequest;
  for (std::size_t from = 0; from < ids.size();) {
    std::string path = client_.Path("document", database_);
    if (!version.empty()) path += "/local/commit/" + version.substr(version.find(':') + 1);
    const std::size_t to = std::min(from + count, ids.size());
    Result<Answer> answer = client_.ReadDocuments(path, IdsBody(ids, from, to));
    if (answer.Is(Code::kUnavailable) && to - from > kFewIds) {
      count = kFewIds;  // perhaps it was too large an answer, or took too long
      continue;
    }
    if (!answer.ok()) return answer.error();
    if (IsGone(*answer)) return NotFound("TerminusDB: no database " + database_);
    auto documents = terminus::ParseDocumentList(answer->body);
    if (answer->status != 200 || !documents || answer->version.empty()) {
      return Unexpected("read documents", *answer);
    }
    if (version.empty()) version = answer->version;
    for (std::string_view document : *documents) SAFFRON_TRY(on_document(document));
    from = to;
  }
  return Ok();
}

Status TerminusGraph::Generation::Learn(const std::vector<std::string>& ids) {
  std::vector<std::string> wanted = {std::string(kFenceId)};
  std::optional<Fence> fence;
  Versions found;
  for (const std::string& id : ids) {
    if (fence_ && known_.contains(id)) continue;
    wanted.push_back(id);
  }
  std::string version;
  SAFFRON_TRY(ReadEach(wanted, version, [&](std::string_view document) -> Status {
    const std::string id = terminus::IdOfDocument(document);
    if (id == kFenceId) {
      fence = Fence::Parse(terminus::StateOfFence(document).value_or(""));
      return Ok();
    }
    SAFFRON_ASSIGN(StoredNode stored, terminus::ParseNode(document));
    found[id] = stored.node.version.value;
    return Ok();
  }));
  if (!fence) return Unavailable("TerminusDB: no fence that can be read in " + database_);
  const bool moved = fence_ && *fence_ != *fence;
  if (moved) known_.clear();
  fence_ = fence;
  known_.merge(found);
  // Another one has written: what was not asked for again is no longer known.
  if (moved) return Conflict("moved");
  return Ok();
}

Result<bool> TerminusGraph::Generation::Swap(Woql query) {
  Result<Answer> sent =
      client_.Write("POST", client_.Path("woql", database_), std::move(query).Finish());
  if (!sent.ok()) return sent.error();
  if (IsGone(*sent)) return NotFound("TerminusDB: no database " + database_);
  if (sent->error == "DocumentIdAlreadyExists" || sent->error == "DocumentNotFound") return false;
  if (BlamesADocument(sent->error)) return Invalid(Unexpected("commit", *sent).message());
  if (sent->status != 200) return Unexpected("commit", *sent);
  Result<Bindings> bindings = terminus::ParseBindings(sent->body, {}, {});
  if (!bindings.ok()) return UnknownOutcome(bindings.error().message());
  return bindings->count > 0;
}

Status TerminusGraph::Generation::TakeOver(std::uint64_t epoch) {
  std::lock_guard lock(writer_mutex_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Forget();
    SAFFRON_ASSIGN(Fence fence, ReadFence());
    if (fence.epoch > epoch) return Conflict("the graph is of a later epoch");
    if (fence.epoch == epoch) return Ok();
    Fence next = fence;
    next.epoch = epoch;
    ++next.serial;
    Woql query;
    query.Match(kFenceId, "state", fence.ToString());
    query.WriteFence(kFenceId, next.ToString());
    SAFFRON_ASSIGN(bool swapped, Swap(std::move(query)));
    if (swapped) return Ok();
  }
  return Unavailable("TerminusDB: another process keeps writing the graph");
}

Result<bool> TerminusGraph::Generation::TryCommit(const GraphCommit& commit,
                                                  const std::vector<const GraphNode*>& nodes) {
  std::vector<std::string> ids;
  std::vector<std::vector<std::string>> targets;
  std::vector<std::string> asked;
  for (const GraphNode* node : nodes) {
    ids.push_back(IdOf(node->key));
    targets.push_back(TargetsOf(*node));
    asked.push_back(ids.back());
    asked.insert(asked.end(), targets.back().begin(), targets.back().end());
  }
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  if (known_.size() > kKnown) Forget();
  const bool all_known = fence_ && std::all_of(asked.begin(), asked.end(),
                                               [&](const auto& id) { return known_.contains(id); });
  const bool fits = fence_ && fence_->epoch == commit.epoch && fence_->position <= commit.position;
  if (!all_known || !fits) {
    Status learned = Learn(asked);
    if (learned.Is(Code::kConflict)) return false;
    SAFFRON_TRY(std::move(learned));
  }
  if (fence_->epoch != commit.epoch) return Conflict("the graph is of another epoch");
  if (commit.position < fence_->position) return Conflict("the position would go back");

  Fence next = *fence_;
  next.position = commit.position;
  next.ontology += WritesOntology(commit) ? 1 : 0;
  ++next.serial;
  Woql query;
  query.Match(kFenceId, "state", fence_->ToString());
  query.WriteFence(kFenceId, next.ToString());
  Versions written;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto known = known_.find(ids[i]);
    if (known != known_.end() && known->second >= nodes[i]->version.value) continue;
    query.WriteNode(known == known_.end() ? Woql::Mode::kInsert : Woql::Mode::kUpdate, ids[i],
                    *nodes[i]);
    written[ids[i]] = nodes[i]->version.value;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!written.contains(ids[i])) continue;
    for (const std::string& target : targets[i]) {
      if (known_.contains(target) || !written.emplace(target, 0).second) continue;
      query.InsertPlaceholder(target);
    }
  }
  SAFFRON_ASSIGN(bool swapped, Swap(std::move(query)));
  if (!swapped) return false;
  fence_ = next;
  for (auto& [id, version] : written) known_[id] = version;
  return true;
}

Status TerminusGraph::Generation::Commit(const GraphCommit& commit) {
  SAFFRON_ASSIGN(const auto nodes, NewestOf(commit));
  std::lock_guard lock(writer_mutex_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Result<bool> committed = TryCommit(commit, nodes);
    if (committed.ok() && *committed) {
      OptimizeIfDue();
      return Ok();
    }
    // Whatever happened, the next attempt or call asks the server where the graph is.
    Forget();
    if (!committed.ok()) return committed.error();
  }
  return Unavailable("TerminusDB: another process keeps writing the graph");
}

// Between two commits of the only writer, so that it races with none.
void TerminusGraph::Generation::OptimizeIfDue() {
  const std::uint64_t every = client_.options().optimize_every;
  if (every == 0 || ++commits_ % every != 0) return;
  for (const char* part : {"/local/branch/main", "/local/_commits", "/_meta"}) {
    auto done = client_.Write("POST", client_.Path("optimize", database_) + part, "{}");
    if (done.ok() && done->status == 200) continue;
    const Error error = done.ok() ? Unexpected("optimize", *done) : done.error();
    log_.Warning("terminusdb.not_optimized", {{"what", part}, {"error", error.ToString()}});
    return;  // commits get slower until the next time; nothing else is lost
  }
}

// -- reads ----------------------------------------------------------------------------------------

Result<TerminusGraph::Generation::Documents> TerminusGraph::Generation::Read(
    const std::vector<std::string>& ids, std::string& version) {
  Documents found;
  SAFFRON_TRY(ReadEach(ids, version, [&](std::string_view document) -> Status {
    SAFFRON_ASSIGN(StoredNode stored, terminus::ParseNode(document));
    if (stored.node.version == SequenceNumber()) return Ok();
    std::string id = IdOf(stored.node.key);
    found.insert_or_assign(std::move(id), std::move(stored));
    return Ok();
  }));
  return found;
}

Result<Bindings> TerminusGraph::Generation::Ask(Woql query, std::string_view first,
                                                std::string_view second, std::string& version) {
  SAFFRON_ASSIGN(Answer answer,
                 Read("POST", client_.Path("woql", database_), std::move(query).Finish(), version));
  if (answer.error == "DataVersionMismatch") return Conflict("the graph has moved on");
  if (answer.status != 200 || answer.version.empty()) return Unexpected("query", answer);
  version = answer.version;
  return terminus::ParseBindings(answer.body, first, second);
}

Result<std::vector<AggregateKey>> TerminusGraph::Generation::ReadKeys(Woql query,
                                                                      std::string& version) {
  SAFFRON_ASSIGN(Bindings bindings, Ask(std::move(query), "S", {}, version));
  std::vector<AggregateKey> keys;
  keys.reserve(bindings.count);
  for (const auto& [id, unused] : bindings.pairs) {
    auto key = KeyOf(id);
    if (!key) return Corrupt("TerminusDB: not the id of a node: " + id);
    keys.push_back(std::move(*key));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<std::vector<GraphNode>> TerminusGraph::Generation::List(AggregateType type,
                                                               std::string_view id_prefix,
                                                               std::string_view after,
                                                               std::size_t limit) {
  std::string predicate = "kind", value = terminus::KindOf(type);
  if (type == AggregateType::kInstance) {
    // Of one class, when the prefix says which: "{db}:{branch}:{class}:...".
    std::size_t colon = id_prefix.find(':');
    for (int i = 0; i < 2 && colon != std::string_view::npos; ++i) {
      colon = id_prefix.find(':', colon + 1);
    }
    if (colon != std::string_view::npos) {
      predicate = "group";
      value = id_prefix.substr(0, colon);
    }
  }
  std::vector<std::string> ids;
  std::string version;
  {
    std::lock_guard lock(list_mutex_);
    SAFFRON_ASSIGN(Answer head, Read("HEAD", client_.Path("document", database_), {}));
    if (head.status != 200) return Unexpected("read the version", head);
    const std::string what = predicate + " " + value;
    if (listed_.version != head.version || listed_.what != what) {
      Woql query;
      query.Match("?S", predicate, value);
      Keys keys{{}, what, {}};
      SAFFRON_ASSIGN(keys.keys, ReadKeys(std::move(query), keys.version));
      listed_ = std::move(keys);
    }
    version = listed_.version;
    AggregateKey from{type, std::string(std::max(id_prefix, after))};
    auto at = std::lower_bound(listed_.keys.begin(), listed_.keys.end(), from);
    for (; at != listed_.keys.end() && at->id.starts_with(id_prefix) && ids.size() < limit; ++at) {
      if (at->id > after) ids.push_back(IdOf(*at));
    }
  }
  SAFFRON_ASSIGN(Documents documents, Read(ids, version));
  std::vector<GraphNode> nodes;
  nodes.reserve(ids.size());
  for (const std::string& id : ids) {
    auto found = documents.find(id);
    if (found == documents.end()) return Corrupt("TerminusDB: a listed node is missing: " + id);
    nodes.push_back(std::move(found->second.node));
  }
  return nodes;
}

}  // namespace saffron
