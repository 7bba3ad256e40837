#include "services/oms/ontology_reads.h"

#include "domain/instance.h"
#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"

namespace saffron {
namespace {

constexpr std::size_t kPageNodes = 1000;
constexpr std::size_t kMostDatabases = 10'000;

void AppendDatabase(std::string& out, const GraphNode& node) {
  JsonObject object(out);
  object.Text("name", node.key.id);
  std::string_view description = "null";
  auto members = json::MembersOf(node.document);
  for (std::size_t i = 0; members && i < members->size(); ++i) {
    const json::Member& member = (*members)[i];
    if (member.key.inner() == "description") description = member.value.raw;
  }
  object.Raw("description", description);
  object.Text("created_at", WallTime{node.created_ms}.ToRfc3339());
  object.Number("sequence_number", node.version.value).Close();
}

// The members of the definition and the class's number.
void AppendClass(std::string& out, const GraphNode& node) {
  out.append(node.document.substr(0, node.document.rfind('}')));
  out.append(R"(,"sequence_number":)").append(std::to_string(node.version.value)).append("}");
}

void AppendViolation(std::string& out, const Violation& violation) {
  JsonObject(out)
      .Text("pointer", violation.pointer)
      .Text("code", violation.code)
      .Text("message", violation.message)
      .Close();
}

}  // namespace

void OntologyReads::Register(HandlerMap& handlers) {
  auto database = [](const ApiCall& call) { return AggregateKey::Database(call.Param("db")); };
  auto of_class = [](const ApiCall& call) {
    return AggregateKey::OntologyClass(call.Param("db"), "main", call.Param("class"));
  };
  auto add = [&](std::string_view operation, ReadService::AggregateOf aggregate, auto method) {
    reads_.Register(handlers, {operation, ReadStore::kGraph, std::move(aggregate),
                               [this, method](const ApiCall& call, const auto&) {
                                 return (this->*method)(call);
                               }});
  };
  reads_.Register(handlers, {"listDatabases", ReadStore::kGraph, nullptr,
                             [this](const ApiCall&, const auto&) { return ListDatabases(); }});
  add("databaseExists", database, &OntologyReads::DatabaseExists);
  add("listClasses", nullptr, &OntologyReads::ListClasses);
  add("getClass", of_class, &OntologyReads::GetClass);
  add("listBranches", database, &OntologyReads::ListBranches);
  add("validateClass", nullptr, &OntologyReads::Validate);
}

Result<HttpResponse> OntologyReads::ListDatabases() {
  std::vector<GraphNode> live;
  std::string after;
  while (live.size() < kMostDatabases) {
    SAFFRON_ASSIGN(std::vector<GraphNode> page,
                   reads_.graph().List(AggregateType::kDatabase, "", after, kPageNodes));
    const bool last = page.size() < kPageNodes;
    if (!page.empty()) after = page.back().key.id;
    for (GraphNode& node : page) {
      if (node.lifecycle == Lifecycle::kPresent) live.push_back(std::move(node));
    }
    if (last) break;
  }
  std::string data = R"({"databases":)";
  AppendArray(data, live, AppendDatabase);
  return DataAnswer(data.append("}"));
}

Result<GraphNode> OntologyReads::LiveDatabase(std::string_view db) {
  const AggregateKey key = AggregateKey::Database(db);
  SAFFRON_ASSIGN(auto nodes, reads_.graph().Get({key}));
  auto found = nodes.find(key);
  if (found == nodes.end() || found->second.lifecycle != Lifecycle::kPresent) {
    return NotFound("there is no database \"" + std::string(db) + "\"");
  }
  return found->second;
}

Result<HttpResponse> OntologyReads::DatabaseExists(const ApiCall& call) {
  Result<GraphNode> database = LiveDatabase(call.Param("db"));
  if (!database.ok() && !database.Is(Code::kNotFound)) return database.error();
  return DataAnswer(database.ok() ? R"({"exists":true})" : R"({"exists":false})");
}

Result<HttpResponse> OntologyReads::ListClasses(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  SAFFRON_ASSIGN(LiveScopePtr scope, reads_.LiveScopeOf(call.Param("db"), branch));
  std::vector<AggregateKey> keys;
  for (const auto& [id, incarnation] : scope->classes) {
    keys.push_back(AggregateKey::OntologyClass(scope->db, branch, id));
  }
  SAFFRON_ASSIGN(auto nodes, reads_.graph().Get(keys));
  std::vector<GraphNode> live;
  for (auto& [key, node] : nodes) {
    if (node.lifecycle == Lifecycle::kPresent) live.push_back(std::move(node));
  }
  std::string data = R"({"ontologies":)";
  AppendArray(data, live, AppendClass);
  return DataAnswer(data.append("}"));
}

Result<HttpResponse> OntologyReads::GetClass(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  SAFFRON_ASSIGN(GraphNode database, LiveDatabase(call.Param("db")));
  const AggregateKey key =
      AggregateKey::OntologyClass(call.Param("db"), branch, call.Param("class"));
  SAFFRON_ASSIGN(auto nodes, reads_.graph().Get({key}));
  auto found = nodes.find(key);
  if (found == nodes.end() || found->second.lifecycle != Lifecycle::kPresent ||
      found->second.scope.database != database.incarnation) {
    return NotFound("there is no class \"" + std::string(call.Param("class")) + "\"");
  }
  std::string data;
  AppendClass(data, found->second);
  return DataAnswer(data);
}

Result<HttpResponse> OntologyReads::ListBranches(const ApiCall& call) {
  SAFFRON_ASSIGN(GraphNode database, LiveDatabase(call.Param("db")));
  return DataAnswer(R"({"branches":[{"name":"main","default":true}]})");
}

Result<HttpResponse> OntologyReads::Validate(const ApiCall& call) {
  SAFFRON_ASSIGN(std::string branch, BranchOf(call.request));
  if (auto refusal = RefuseContentType(call.request)) return std::move(*refusal);
  SAFFRON_TRY(CheckClientJson(call.request.body));
  SAFFRON_ASSIGN(OntologyViewPtr view, catalog_.Refresh(call.Param("db"), branch));
  if (!view->ontology) {
    return NotFound("there is no database \"" + std::string(call.Param("db")) + "\"");
  }
  DefinitionResult read = ParseClassDefinition(call.request.body, "");
  if (read.violations.empty()) {
    const bool exists = view->ontology->Find(read.definition.id) != nullptr;
    read.violations =
        view->ontology->Lint(read.definition, exists ? Operation::kUpdate : Operation::kCreate);
  }
  std::string data = R"({"valid":)";
  data.append(read.violations.empty() ? "true" : "false").append(R"(,"errors":)");
  AppendArray(data, read.violations, AppendViolation);
  return DataAnswer(data.append("}"));
}

}  // namespace saffron
