#include "app/loader/fake_server_test_support.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/json_view.h"
#include "domain/instance.h"
#include "domain/names.h"

namespace saffron {
namespace {

HttpResponse Json(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

std::string Quoted(std::string_view text) {
  std::string out;
  json::AppendString(out, text);
  return out;
}

}  // namespace

FakeServer::FakeServer() {
  auto server = HttpServer::Open({}, [this](HttpRequest&& request, Responder responder) {
    Handle(std::move(request), std::move(responder));
  });
  EXPECT_TRUE(server.ok());
  server_ = std::move(*server);
}

FakeServer::~FakeServer() = default;

std::string FakeServer::url() const {
  return "http://127.0.0.1:" + std::to_string(server_->port());
}

void FakeServer::FailBefore(Fault fault) {
  std::lock_guard<std::mutex> held(mutex_);
  before_ = std::move(fault);
}
void FakeServer::FailAfter(Fault fault) {
  std::lock_guard<std::mutex> held(mutex_);
  after_ = std::move(fault);
}
std::size_t FakeServer::instances() const {
  std::lock_guard<std::mutex> held(mutex_);
  return documents_.size();
}
std::size_t FakeServer::appended() const {
  std::lock_guard<std::mutex> held(mutex_);
  return appended_;
}
std::string FakeServer::Document(const std::string& aggregate_id) const {
  std::lock_guard<std::mutex> held(mutex_);
  auto found = documents_.find(aggregate_id);
  return found == documents_.end() ? "" : found->second;
}
std::vector<std::string> FakeServer::classes_in_order() const {
  std::lock_guard<std::mutex> held(mutex_);
  return class_order_;
}
void FakeServer::SetDocument(const std::string& aggregate_id, std::string document) {
  std::lock_guard<std::mutex> held(mutex_);
  documents_[aggregate_id] = std::move(document);
}
void FakeServer::DropDatabase() {
  std::lock_guard<std::mutex> held(mutex_);
  db_.clear();
  ++db_number_;
  classes_.clear();
  class_order_.clear();
  documents_.clear();
}

void FakeServer::Handle(HttpRequest&& request, Responder responder) {
  std::lock_guard<std::mutex> held(mutex_);
  std::optional<HttpResponse> response = before_ ? before_(request) : std::nullopt;
  if (!response) {
    response = Answer(request);
    if (auto other = after_ ? after_(request) : std::nullopt) response = std::move(other);
  }
  responder.Send(std::move(*response));
}

HttpResponse FakeServer::Answer(const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/api/v1/database/list") {
    std::string list = db_.empty() ? ""
                                   : "{\"name\":" + Quoted(db_) +
                                         ",\"sequence_number\":" + std::to_string(db_number_) + "}";
    return Json(200, "{\"data\":{\"databases\":[" + list + "]}}");
  }
  if (path == "/api/v1/database/create") {
    db_ = JsonView::Of(request.body)["name"].TextOr("");
    ++db_number_;
    return Json(202, "{\"data\":{\"command_id\":\"db\"}}");
  }
  if (path.ends_with("/status")) return Json(200, "{\"status\":\"COMPLETED\"}");
  if (path.ends_with("/bulk-create")) return AnswerBulk(request);
  if (path.ends_with("/events")) return AnswerHistory(request);
  if (path.starts_with("/api/v1/aggregates/OntologyClass/")) {
    return Json(200, "{\"data\":{\"incarnation\":" + std::to_string(db_number_) + "}}");
  }
  if (path.ends_with("/ontology") && request.method == "GET") return Json(200, ListClasses());
  if (path.ends_with("/ontology")) return AnswerClass(request, false);
  if (request.method == "PUT") return AnswerClass(request, true);
  return Json(404, "{\"message\":\"no such route\"}");
}

std::string FakeServer::ListClasses() const {
  std::string list;
  for (const auto& [id, one] : classes_) {
    if (!list.empty()) list.push_back(',');
    list.append(one.definition.substr(0, one.definition.size() - 1))
        .append(",\"sequence_number\":" + std::to_string(one.number) + "}");
  }
  return "{\"data\":{\"ontologies\":[" + list + "]}}";
}

Ontology FakeServer::CurrentOntology() const {
  std::map<std::string, OntologyClass> classes;
  for (const auto& [id, one] : classes_) {
    classes[id] = {SequenceNumber(1), SequenceNumber(1),
                   ParseClassDefinition(one.definition, "").definition};
  }
  return Ontology({AggregateKey::Database(db_), SequenceNumber(1), SequenceNumber(1)},
                  SequenceNumber(1), std::move(classes));
}

HttpResponse FakeServer::AnswerClass(const HttpRequest& request, bool update) {
  DefinitionResult read = ParseClassDefinition(request.body, "");
  auto violations = read.violations;
  if (violations.empty()) {
    violations =
        CurrentOntology().Lint(read.definition, update ? Operation::kUpdate : Operation::kCreate);
  }
  if (!violations.empty()) {
    return Json(422, "{\"message\":" + Quoted(violations.front().message) + "}");
  }
  Class& one = classes_[read.definition.id];
  std::string expected = "expected_seq=" + std::to_string(one.number);
  if (update && request.target.find(expected) == std::string::npos) return Json(409, "{}");
  one.definition = EncodeClassDefinition(read.definition);
  ++one.number;
  class_order_.push_back(read.definition.id);
  return Json(202, "{\"data\":{\"command_id\":\"class\"}}");
}

HttpResponse FakeServer::AnswerBulk(const HttpRequest& request) {
  // /api/v1/instances/{db}/async/{class}/bulk-create
  std::string rest = request.path.substr(std::string("/api/v1/instances/").size());
  std::string db = rest.substr(0, rest.find('/'));
  std::size_t begin = rest.find("/async/") + 7;
  std::string class_id = rest.substr(begin, rest.find('/', begin) - begin);
  auto type = CurrentOntology().Effective(class_id);
  if (!type.ok() || db != db_) return Json(404, "{\"message\":\"unknown class\"}");
  EventId bulk = CommandIdFromKey(db, request.headers.Find("Idempotency-Key").value_or(""));
  std::string items;
  std::uint32_t index = 0;
  std::uint32_t conflicts = 0;
  for (const JsonView& document : JsonView::Of(request.body)["instances"].Elements()) {
    std::string command = ItemCommandId(bulk, index++).ToString();
    std::string id = *InstanceIdOf(**type, document.raw());
    std::string aggregate = AggregateKey::Instance(db, "main", class_id, id).id;
    std::string item = "{\"instance_id\":" + Quoted(id) + ",\"command_id\":" + Quoted(command);
    if (commands_.count(command) > 0) {
      item += ",\"sequence_number\":1,\"duplicate\":true}";
    } else if (documents_.count(aggregate) > 0) {
      item += ",\"error\":{\"error\":\"optimistic_concurrency_conflict\"}}";
      ++conflicts;
    } else if (auto wrong = ValidateDocument(**type, document.raw()); !wrong.empty()) {
      item += ",\"error\":{\"error\":\"invalid\"}}";
    } else {
      documents_[aggregate] = std::string(document.raw());
      commands_[command] = aggregate;
      ++appended_;
      item += ",\"sequence_number\":1}";
    }
    items += (items.empty() ? "" : ",") + item;
  }
  if (conflicts == index) {
    return Json(409, "{\"detail\":{\"error\":\"optimistic_concurrency_conflict\"}}");
  }
  return Json(202, "{\"status\":\"PENDING\",\"result\":{\"items\":[" + items + "]}}");
}

HttpResponse FakeServer::AnswerHistory(const HttpRequest& request) {
  std::string id = request.path.substr(std::string("/api/v1/aggregates/Instance/").size());
  id = *PercentDecode(id.substr(0, id.rfind('/')));
  auto found = documents_.find(id);
  if (found == documents_.end()) return Json(404, "{}");
  std::string event_id;
  for (const auto& [command, aggregate] : commands_) {
    if (aggregate == id) event_id = command;
  }
  std::string event =
      "{\"event_id\":\"" + event_id +
      "\",\"event_type\":\"CREATE_INSTANCE_REQUESTED\",\"data\":{\"document\":" + found->second +
      "}}";
  return Json(200, "{\"data\":{\"events\":[{\"position\":\"0-1-0\",\"event\":" + event + "}]}}");
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() /
                         "saffron-load-"
                         "XXXX"
                         "XX")
                            .string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream file(path_ + "/" + name, std::ios::binary | std::ios::trunc);
  file << text;
  return path_ + "/" + name;
}

std::string TemporaryFolder::Read(const std::string& name) const {
  std::ifstream file(path_ + "/" + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace saffron
