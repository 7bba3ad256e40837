#include "services/oms/oms_http_test_home.h"

#include "domain/instance.h"
#include "net/router.h"
#include "services/oms/json_schema_check.h"
#include "services/oms/openapi.h"

namespace saffron {

std::string Reply::At(std::string_view pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element root, found;
  if (parser.parse(body).get(root) != simdjson::SUCCESS) return "not JSON: " + body;
  if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "missing";
  return simdjson::minify(found);
}

std::string Reply::Text(std::string_view pointer) const {
  std::string raw = At(pointer);
  return raw.size() > 1 && raw.front() == '"' ? raw.substr(1, raw.size() - 2) : raw;
}

std::uint64_t Reply::Number(std::string_view pointer) const {
  std::string raw = At(pointer);
  EXPECT_TRUE(!raw.empty() && raw[0] >= '0' && raw[0] <= '9') << pointer << " in " << body;
  return std::strtoull(raw.c_str(), nullptr, 10);
}

OmsHttpHome::OmsHttpHome(OmsOptions options, AdminOperations* admin)
    : followers_(write_side.runtime) {
  options.http.threads = 1;
  options.health.interval = milliseconds(20);
  SAFFRON_ASSERT(graph.TakeOver(1).ok());
  OmsParts parts{*write_side.context,
                 *write_side.append,
                 write_side.registry,
                 graph,
                 search,
                 metrics,
                 admin,
                 {{"store", [this] { return healthy ? Ok() : Unavailable("secret: no route"); }}},
                 [this](SlotNumber slot) -> Result<bool> { return projected_ >= slot.value; }};
  auto opened = OmsServer::Open(std::move(parts), std::move(options));
  SAFFRON_ASSERT(opened.ok());
  server = std::move(*opened);
  client_ = std::move(*HttpClient::Open(HttpClientOptions()));
}

OmsHttpHome::~OmsHttpHome() {
  server->StopServing(seconds(5));
  write_side.runtime.RequestStop();
  write_side.context->committed.Nudge();
  followers_.JoinAll();
  write_side.append->Stop(write_side.runtime.Now());
  server.reset();
}

std::string OmsHttpHome::url() const {
  return "http://127.0.0.1:" + std::to_string(server->port());
}

Reply OmsHttpHome::Raw(std::string_view method, std::string_view target, std::string_view body,
                       HttpHeaders headers) {
  HttpClientRequest request;
  request.method = method;
  request.url = url().append(target);
  request.headers = std::move(headers);
  request.body = body;
  Result<HttpResponse> response = client_->Do(request, seconds(40));
  Reply reply;
  EXPECT_TRUE(response.ok()) << response.error().ToString();
  if (!response.ok()) return reply;
  reply.status = response->status;
  reply.headers = std::move(response->headers);
  reply.body = std::move(response->body);
  return reply;
}

Reply OmsHttpHome::Do(std::string_view method, std::string_view target, std::string_view body,
                      HttpHeaders headers) {
  if (!body.empty()) headers.Add("Content-Type", "application/json");
  Reply reply = Raw(method, target, body, std::move(headers));
  HoldAgainstSchema(reply, method, target);
  return reply;
}

std::string OmsHttpHome::ProblemOf(const Reply& reply, const RouteSpec& route) {
  const bool good = reply.status == route.success || reply.status == 200;
  if (good && route.response.empty()) return {};
  std::string_view schema = good                                    ? route.response
                            : reply.status == 409                   ? "Conflict"
                            : route.operation.starts_with("health") ? "Health"
                                                                    : "Error";
  simdjson::dom::parser schema_parser, parser;
  simdjson::dom::element schemas, root;
  SAFFRON_ASSERT(schema_parser.parse(std::string(OpenApiSchemas())).get(schemas) ==
                 simdjson::SUCCESS);
  if (parser.parse(reply.body).get(root) != simdjson::SUCCESS) return "not JSON: " + reply.body;
  const std::string problem = SchemaProblem(schemas, schema, root);
  return problem.empty() ? problem : std::string(schema) + ": " + problem + "\n" + reply.body;
}

void OmsHttpHome::HoldAgainstSchema(const Reply& reply, std::string_view method,
                                    std::string_view target) {
  Router router;
  for (const RouteSpec& route : RouteTable()) router.Add(route.method, route.path);
  RouteMatch match = router.Match(method, target.substr(0, target.find('?')));
  if (match.outcome != RouteMatch::Outcome::kFound) return;
  const RouteSpec& route = RouteTable()[match.route];
  const bool good = reply.status == route.success || reply.status == 200;
  if (good) served_.insert(std::string(route.operation));
  EXPECT_EQ(ProblemOf(reply, route), "") << method << " " << target << " " << reply.status;
}

void OmsHttpHome::Fold(const Slot& slot) {
  GraphCommit commit;
  commit.epoch = 1;
  commit.position.slot = slot.number();
  std::vector<SearchDocument> documents;
  for (const LoggedEvent& event : slot.events) {
    if (!event.outcome) continue;
    GraphNode node;
    node.key = event.envelope.aggregate;
    node.version = event.envelope.sequence_number;
    node.lifecycle = event.outcome->lifecycle;
    node.incarnation = event.outcome->incarnation;
    node.scope = event.outcome->scope;
    node.document = event.outcome->document;
    node.references = node.key.type == AggregateType::kInstance ? ReferencesByShape(node.document)
                                                                : std::vector<Reference>();
    node.updated_ms = ParseRfc3339(event.envelope.occurred_at)->unix_ms;
    documents.push_back(
        {node.key, node.version, node.lifecycle, node.scope, node.document, node.updated_ms});
    commit.nodes.push_back(std::move(node));
  }
  SAFFRON_ASSERT(graph.Commit(commit).ok());
  if (!documents.empty()) SAFFRON_ASSERT(search.Write(documents).ok() && search.Refresh().ok());
  projected_ = slot.number().value;
}

void OmsHttpHome::Follow() {
  LogContext& context = *write_side.context;
  for (SlotNumber next(1); !context.runtime.StopRequested();) {
    Result<SlotPtr> slot = ReadSlot(context, next);
    if (!slot.ok()) {
      context.committed.WaitFor(next, context.runtime.Now() + milliseconds(50));
      continue;
    }
    Fold(**slot);
    next = next.Next();
  }
}

void OmsHttpHome::KeepFollowing() {
  write_side.KeepDeciding();
  followers_.Spawn("sinks", [this] { Follow(); });
}

void OmsHttpHome::MakeOrders() {
  ASSERT_EQ(Post("/api/v1/database/create?wait=10", R"({"name":"logistics","description":"Goods"})")
                .status,
            200);
  ASSERT_EQ(Post("/api/v1/database/logistics/ontology?wait=10", kOrderClass).status, 200);
}

}  // namespace saffron
