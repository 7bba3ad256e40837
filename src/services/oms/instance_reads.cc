#include "services/oms/instance_reads.h"

#include "domain/instance.h"
#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"
#include "services/oms/query_parser.h"

namespace saffron {
namespace {

AggregateParts PartsOf(const AggregateKey& key) {
  Result<AggregateParts> parts = SplitAggregateId(key);
  return parts.ok() ? *parts : AggregateParts();
}

void AppendInstance(std::string& out, const AggregateKey& key, SequenceNumber version,
                    std::string_view document, std::int64_t updated_ms) {
  const AggregateParts parts = PartsOf(key);
  JsonObject object(out);
  object.Text("instance_id", parts.instance).Text("class_id", parts.class_id);
  object.Text("db_name", parts.db).Text("branch", parts.branch);
  object.Number("sequence_number", version.value);
  object.Text("updated_at", WallTime{updated_ms}.ToRfc3339());
  object.Raw("document", document.empty() ? "null" : document).Close();
}

void AppendDocument(std::string& out, const SearchDocument& document) {
  AppendInstance(out, document.key, document.version, document.document, document.updated_ms);
}

// "Order/ORD-1", as references are written.
std::string ReferenceTo(const AggregateKey& key) {
  const AggregateParts parts = PartsOf(key);
  return std::string(parts.class_id).append("/").append(parts.instance);
}

HttpResponse PageAnswer(std::string_view name, const SearchPage& page) {
  std::string data;
  JsonObject object(data);
  AppendArray(object.Key(name), page.documents, AppendDocument);
  object.Number("count", page.documents.size());
  if (page.next_cursor.empty()) {
    object.Null("next_cursor");
  } else {
    object.Text("next_cursor", page.next_cursor);
  }
  object.Close();
  return DataAnswer(data);
}

HttpResponse BadBody(const std::vector<Violation>& violations) {
  return ApiError(400, "the body is not what this request takes", {}, violations);
}

void AppendNode(std::string& out, const GraphNode& node, bool with_document) {
  const AggregateParts parts = PartsOf(node.key);
  JsonObject object(out);
  object.Text("id", ReferenceTo(node.key)).Text("class_id", parts.class_id);
  object.Text("instance_id", parts.instance).Number("sequence_number", node.version.value);
  if (with_document && !node.document.empty()) object.Raw("document", node.document);
  object.Close();
}

std::string GraphAnswer(const GraphQuery& query, const GraphResult& result,
                        const ReadService::Warnings& warnings) {
  std::string body;
  JsonObject object(body);
  object.Text("status", "success");
  AppendArray(object.Key("nodes"), result.nodes, [&](std::string& out, const GraphNode& node) {
    AppendNode(out, node, query.include_documents);
  });
  AppendArray(object.Key("edges"), result.edges, [](std::string& out, const GraphEdge& edge) {
    JsonObject(out)
        .Text("from", ReferenceTo(edge.from))
        .Text("predicate", edge.predicate)
        .Text("to", ReferenceTo(edge.to))
        .Close();
  });
  auto append_reference = [](std::string& out, const AggregateKey& key) {
    json::AppendString(out, ReferenceTo(key));
  };
  if (query.include_paths) {
    AppendArray(object.Key("paths"), result.paths,
                [&](std::string& out, const std::vector<AggregateKey>& path) {
                  AppendArray(out, path, append_reference);
                });
  }
  object.Number("count", result.count);
  ReadService::Warnings all = result.warnings;
  all.insert(all.end(), warnings.begin(), warnings.end());
  AppendArray(object.Key("warnings"), all, [](std::string& out, const std::string& warning) {
    json::AppendString(out, warning);
  });
  JsonObject page(object.Key("page"));
  page.Number("limit", query.limit).Number("offset", query.offset).Flag("more", result.more);
  page.Close();
  object.Close();
  return body;
}

}  // namespace

void InstanceReads::Register(HandlerMap& handlers) {
  auto add = [&](std::string_view operation, ReadStore store, auto method) {
    reads_.Register(handlers,
                    {operation, store, nullptr, [this, method](const ApiCall& call, const auto&) {
                       return (this->*method)(call);
                     }});
  };
  add("listInstances", ReadStore::kSearch, &InstanceReads::List);
  add("countInstances", ReadStore::kSearch, &InstanceReads::Count);
  add("searchInstances", ReadStore::kSearch, &InstanceReads::Search);
  // Without `class` the id may be of several aggregates; min_seq is of one.
  auto instance = [](const ApiCall& call) {
    std::string_view of_class = call.request.Query("class").value_or("");
    if (of_class.empty()) return AggregateKey{AggregateType::kInstance, ""};
    return AggregateKey::Instance(call.Param("db"), "main", of_class, call.Param("instance"));
  };
  reads_.Register(handlers,
                  {"getInstance", ReadStore::kGraph, instance,
                   [this](const ApiCall& call, const auto&) { return GetInstance(call); }, false,
                   [this](const ApiCall& call) { return GetInstanceAtOnce(call); }});
  reads_.Register(handlers, {"queryGraph", ReadStore::kGraph, nullptr,
                             [this](const ApiCall& call, const auto& warnings) {
                               return GraphSearch(call, warnings);
                             },
                             true});
}

Result<HttpResponse> InstanceReads::GetInstance(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  std::optional<std::string_view> of_class = call.request.Query("class");
  if (of_class) SAFFRON_TRY(CheckClassName(*of_class));
  SAFFRON_ASSIGN(LiveScopePtr scope, reads_.LiveScopeOf(call.Param("db"), branch));
  return InstanceIn(*scope, call.Param("instance"), of_class);
}

Result<std::optional<HttpResponse>> InstanceReads::GetInstanceAtOnce(const ApiCall& call) {
  std::optional<std::string_view> of_class = call.request.Query("class");
  if (!of_class) return std::optional<HttpResponse>();  // one read a class
  SAFFRON_TRY(CheckClassName(*of_class));
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  SAFFRON_ASSIGN(LiveScopePtr scope, reads_.scopes().Kept(call.Param("db"), branch));
  if (!scope) return std::optional<HttpResponse>();
  SAFFRON_ASSIGN(HttpResponse answer, InstanceIn(*scope, call.Param("instance"), of_class));
  return std::optional<HttpResponse>(std::move(answer));
}

Result<HttpResponse> InstanceReads::InstanceIn(const LiveScope& scope, std::string_view instance,
                                               std::optional<std::string_view> of_class) {
  std::vector<AggregateKey> keys;
  if (!of_class) {
    for (const auto& [class_id, incarnation] : scope.classes) {
      keys.push_back(AggregateKey::Instance(scope.db, scope.branch, class_id, instance));
    }
  } else if (scope.classes.contains(*of_class)) {
    keys.push_back(AggregateKey::Instance(scope.db, scope.branch, *of_class, instance));
  } else {
    return NotFound("there is no class \"" + std::string(*of_class) + "\"");
  }
  SAFFRON_ASSIGN(auto nodes, reads_.graph().Get(keys));
  std::vector<const GraphNode*> live;
  for (const auto& [key, node] : nodes) {
    if (AliveIn(scope, PartsOf(key).class_id, node.lifecycle, node.scope)) live.push_back(&node);
  }
  if (live.empty()) {
    return NotFound("there is no instance \"" + std::string(instance) + "\"");
  }
  if (live.size() > 1) {
    std::string detail = R"({"error":"class_required","classes":)";
    AppendArray(detail, live, [](std::string& out, const GraphNode* node) {
      json::AppendString(out, PartsOf(node->key).class_id);
    });
    return ApiError(400, "several classes have an instance of this id: say which",
                    detail.append("}"));
  }
  const GraphNode& node = *live.front();
  std::string body;
  body.reserve(node.document.size() + node.key.id.size() * 2 + 256);
  JsonObject object(body);
  AppendInstance(object.Text("status", "success").Key("data"), node.key, node.version,
                 node.document, node.updated_ms);
  object.Close();
  return JsonAnswer(200, std::move(body));
}

Result<HttpResponse> InstanceReads::List(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  SearchQuery query;
  SAFFRON_ASSIGN(query.limit, LimitOf(call.request, 50, kMostPerPage));
  query.class_id = call.Param("class");
  query.cursor = call.request.Query("cursor").value_or("");
  SAFFRON_ASSIGN(LiveScopePtr scope,
                 reads_.LiveScopeWith(call.Param("db"), branch, query.class_id));
  query.scope = *scope;
  SAFFRON_ASSIGN(SearchPage page, reads_.search().Search(query));
  return PageAnswer("instances", page);
}

Result<HttpResponse> InstanceReads::Count(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  SearchQuery query;
  query.limit = 0;
  query.class_id = call.Param("class");
  SAFFRON_ASSIGN(LiveScopePtr scope,
                 reads_.LiveScopeWith(call.Param("db"), branch, query.class_id));
  query.scope = *scope;
  SAFFRON_ASSIGN(SearchPage page, reads_.search().Search(query));
  std::string body;
  JsonObject(body).Text("status", "success").Number("count", page.total).Close();
  return JsonAnswer(200, std::move(body));
}

Result<HttpResponse> InstanceReads::Search(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  if (auto refusal = RefuseContentType(call.request)) return std::move(*refusal);
  SAFFRON_TRY(CheckClientJson(call.request.body));
  ParsedSearch parsed = ParseSearch(call.request.body);
  if (!parsed.violations.empty()) return BadBody(parsed.violations);
  SearchQuery& query = parsed.query;
  SAFFRON_ASSIGN(LiveScopePtr scope,
                 query.class_id.empty()
                     ? reads_.LiveScopeOf(call.Param("db"), branch)
                     : reads_.LiveScopeWith(call.Param("db"), branch, query.class_id));
  query.scope = *scope;
  SAFFRON_ASSIGN(SearchPage page, reads_.search().Search(query));
  return PageAnswer("results", page);
}

Result<HttpResponse> InstanceReads::GraphSearch(const ApiCall& call,
                                                const ReadService::Warnings& warnings) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  if (auto refusal = RefuseContentType(call.request)) return std::move(*refusal);
  SAFFRON_TRY(CheckClientJson(call.request.body));
  ParsedGraphQuery parsed = ParseGraphQuery(call.request.body);
  if (!parsed.violations.empty()) return BadBody(parsed.violations);
  GraphQuery& query = parsed.query;
  SAFFRON_ASSIGN(LiveScopePtr scope,
                 reads_.LiveScopeWith(call.Param("db"), branch, query.start_class));
  query.scope = *scope;
  SAFFRON_ASSIGN(GraphResult result, reads_.graph().Query(query));
  return JsonAnswer(200, GraphAnswer(query, result, warnings));
}

}  // namespace saffron
