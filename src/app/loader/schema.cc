#include "app/loader/schema.h"

#include <algorithm>
#include <set>

#include "app/json_view.h"
#include "base/sha256.h"
#include "domain/instance.h"
#include "domain/names.h"
#include "net/url.h"

namespace saffron {
namespace {

constexpr std::string_view kApi = "/api/v1";

struct ServerClass {
  ClassDefinition definition;
  std::uint64_t number = 0;
};

// One preparation. Lives for one call of PrepareSchema.
class SchemaSetup {
 public:
  SchemaSetup(Runtime& runtime, PatientClient& client, const std::string& db)
      : runtime_(runtime), client_(client), db_(db), db_path_("/database/" + PercentEncode(db)) {}

  Result<SchemaReport> Prepare(const LoadPlan& plan) {
    SAFFRON_ASSIGN(auto number, DatabaseNumber());
    if (!number) {
      SAFFRON_TRY(CreateDatabase());
      SAFFRON_ASSIGN(number, DatabaseNumber());
      if (!number)
        return Unavailable("the server created database " + db_ + " and does not list it");
    }
    SAFFRON_TRY(ReadClasses());
    for (const ClassDefinition& wanted : plan.classes) SAFFRON_TRY(EnsureClass(wanted));
    if (report_.classes_created > 0 || incomplete_) {
      SAFFRON_TRY(ReadClasses());
      for (const ClassDefinition& wanted : plan.classes) SAFFRON_TRY(CompleteClass(wanted));
    }
    for (const ClassDefinition& wanted : plan.classes) {
      SAFFRON_ASSIGN(std::string incarnation, ClassIncarnation(wanted.id));
      report_.generations[wanted.id] = std::to_string(*number) + "." + incarnation;
    }
    return std::move(report_);
  }

 private:
  std::string Path(std::string_view rest) const { return std::string(kApi) + std::string(rest); }

  Result<JsonView> GetJson(const std::string& path, std::string& body) {
    SAFFRON_ASSIGN(auto answer, client_.Get(Path(path)));
    if (answer.response.status != 200) return Refused(path, answer.response);
    body = std::move(answer.response.body);
    return JsonView::Of(body);
  }

  static Error Refused(const std::string& what, const HttpResponse& response) {
    return Conflict(what + ": " + ErrorMessage(response));
  }

  Result<std::optional<std::uint64_t>> DatabaseNumber() {
    std::string body;
    SAFFRON_ASSIGN(JsonView list, GetJson("/database/list", body));
    for (const JsonView& one : list["data"]["databases"].Elements()) {
      if (one["name"].TextOr("") != db_) continue;
      return std::optional<std::uint64_t>(one["sequence_number"].Unsigned().value_or(0));
    }
    return std::optional<std::uint64_t>();
  }

  Status CreateDatabase() {
    std::string body = "{\"name\":";
    json::AppendString(body, db_);
    body.push_back('}');
    SAFFRON_TRY(Write("POST", "/database/create?wait=30", body, "database " + db_,
                      "Database/" + PercentEncode(db_)));
    report_.database_created = true;
    return Ok();
  }

  // 0: never written.
  Result<std::uint64_t> LastNumberOf(const std::string& aggregate) {
    const std::string path = "/aggregates/" + aggregate;
    SAFFRON_ASSIGN(auto answer, client_.Get(Path(path)));
    if (answer.response.status == 404) return std::uint64_t{0};
    if (answer.response.status != 200) return Refused(path, answer.response);
    return JsonView::Of(answer.response.body)["data"]["sequence_number"].Unsigned().value_or(0);
  }

  std::string ClassAggregate(const std::string& class_id) const {
    return "OntologyClass/" + PercentEncode(db_ + ":main:" + class_id);
  }

  // Sends a write and waits until it is decided. One that is there already is as good. The key
  // follows from the content and from what the aggregate was: equal loads make equal histories.
  Status Write(std::string_view method, const std::string& path, const std::string& body,
               const std::string& what, const std::string& aggregate) {
    SAFFRON_ASSIGN(std::uint64_t last, LastNumberOf(aggregate));
    std::string key =
        Uuid::FromName(Uuid::NamespaceUrl(), "saffron-load:" + aggregate + ":" +
                                                 std::to_string(last) + ":" + Sha256Hex(body))
            .ToString();
    SAFFRON_ASSIGN(auto answer, client_.Send(method, Path(path), body, key));
    if (answer.response.status == 409 && method == "POST") return Ok();
    if (answer.response.status / 100 != 2) return Refused(what, answer.response);
    JsonView json = JsonView::Of(answer.response.body);
    std::string command = json["command_id"].TextOr(json["data"]["command_id"].TextOr(key));
    return AwaitCommand(command, what);
  }

  Status AwaitCommand(const std::string& command, const std::string& what) {
    for (;;) {
      std::string body;
      SAFFRON_ASSIGN(JsonView json, GetJson("/commands/" + command + "/status?wait=20", body));
      std::string status = json["status"].TextOr("");
      if (status == "COMPLETED") return Ok();
      if (status == "FAILED") {
        return Conflict(what + ": " + json["error"].TextOr(std::string(json["error"].raw())));
      }
      if (!runtime_.SleepFor(milliseconds(20))) return Cancelled("stopping");
    }
  }

  Status ReadClasses() {
    std::string body;
    SAFFRON_ASSIGN(JsonView answer, GetJson(db_path_ + "/ontology", body));
    present_.clear();
    for (const JsonView& one : answer["data"]["ontologies"].Elements()) {
      ServerClass found;
      found.definition = DefinitionIn(one);
      found.number = one["sequence_number"].Unsigned().value_or(0);
      std::string id = found.definition.id;
      present_.emplace(std::move(id), std::move(found));
    }
    return Ok();
  }

  // The server adds members of its own to a definition.
  static ClassDefinition DefinitionIn(const JsonView& json) {
    std::string text = "{";
    for (std::string_view name : {"id", "label", "description", "parent_class", "abstract",
                                  "properties", "relationships"}) {
      JsonView member = json[name];
      if (!member.exists() || member.Is(json::Kind::kNull)) continue;
      if (text.size() > 1) text.push_back(',');
      json::AppendString(text, name);
      text.append(":").append(member.raw());
    }
    return ParseClassDefinition(text + "}", "").definition;
  }

  static bool Same(const ClassDefinition& a, const ClassDefinition& b) {
    // Labels keep the bytes they were written with, white space too.
    return MinifyJson(EncodeClassDefinition(a)) == MinifyJson(EncodeClassDefinition(b));
  }

  // Without the relationships whose targets are not there.
  ClassDefinition WithoutMissingTargets(const ClassDefinition& wanted) const {
    ClassDefinition cut = wanted;
    std::erase_if(cut.relationships, [&](const Relationship& relationship) {
      return relationship.target != wanted.id && present_.count(relationship.target) == 0;
    });
    return cut;
  }

  // Whether `there` is `wanted` with some relationships still to come.
  static bool IsFirstPhaseOf(const ClassDefinition& there, const ClassDefinition& wanted) {
    ClassDefinition cut = wanted;
    std::erase_if(cut.relationships, [&](const Relationship& relationship) {
      return std::none_of(
          there.relationships.begin(), there.relationships.end(),
          [&](const Relationship& r) { return r.predicate == relationship.predicate; });
    });
    return Same(cut, there);
  }

  // The number of its creation: a class that was made again has lost its instances.
  Result<std::string> ClassIncarnation(const std::string& class_id) {
    std::string id = AggregateKey::OntologyClass(db_, "main", class_id).id;
    std::string body;
    SAFFRON_ASSIGN(JsonView answer,
                   GetJson("/aggregates/OntologyClass/" + PercentEncode(id), body));
    return std::string(answer["data"]["incarnation"].raw());
  }

  Status EnsureClass(const ClassDefinition& wanted) {
    auto found = present_.find(wanted.id);
    if (found != present_.end()) {
      const ClassDefinition& there = found->second.definition;
      if (!Same(there, wanted) && !IsFirstPhaseOf(there, wanted)) {
        return Conflict("class " + wanted.id + " of database " + db_ +
                        " is not the one to load; update it first, or load into another database");
      }
      if (!Same(there, wanted)) incomplete_ = true;
      ++report_.classes_present;
      return Ok();
    }
    ClassDefinition first = WithoutMissingTargets(wanted);
    SAFFRON_TRY(Write("POST", db_path_ + "/ontology?wait=30", EncodeClassDefinition(first),
                      "class " + wanted.id, ClassAggregate(wanted.id)));
    present_[wanted.id].definition = std::move(first);
    ++report_.classes_created;
    return Ok();
  }

  Status CompleteClass(const ClassDefinition& wanted) {
    auto found = present_.find(wanted.id);
    if (found == present_.end()) {
      return Unavailable("the server created class " + wanted.id + " and does not list it");
    }
    if (Same(found->second.definition, wanted)) return Ok();
    return Write("PUT",
                 db_path_ + "/ontology/" + PercentEncode(wanted.id) +
                     "?wait=30&expected_seq=" + std::to_string(found->second.number),
                 EncodeClassDefinition(wanted), "class " + wanted.id, ClassAggregate(wanted.id));
  }

  Runtime& runtime_;
  PatientClient& client_;
  const std::string db_;
  const std::string db_path_;
  std::map<std::string, ServerClass> present_;
  bool incomplete_ = false;  // a class of an earlier run misses relationships
  SchemaReport report_;
};

}  // namespace

Result<SchemaReport> PrepareSchema(Runtime& runtime, PatientClient& client, const std::string& db,
                                   const LoadPlan& plan) {
  return SchemaSetup(runtime, client, db).Prepare(plan);
}

}  // namespace saffron
