// Every route of a running OMS that does not write, through HTTP: each answer holds to its schema,
// no request ends in an internal error, and none changes anything.
#include <algorithm>

#include "app/admin.h"
#include "services/oms/oms_http_test_home.h"
#include "services/oms/write_parser.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/requests.h"

namespace saffron::fuzz {
namespace {

// Checks what it is handed, and does nothing.
class Operator final : public AdminOperations {
 public:
  Result<std::string> Status() override { return std::string("{}"); }
  Result<std::string> ListDlq(const DlqFilter& filter) override {
    Require(filter.limit <= 1000, "a list is bounded");
    if (filter.aggregate) Require(SplitAggregateId(*filter.aggregate).ok(), "an aggregate has one");
    return std::string("{}");
  }
  Result<std::string> ReplayDlq(std::string_view handler, const AggregateKey& aggregate) override {
    Require(!handler.empty() && SplitAggregateId(aggregate).ok(), "what is replayed is named");
    return std::string("{}");
  }
  Result<std::string> DiscardDlq(std::string_view handler, const AggregateKey& aggregate,
                                 std::string_view reason) override {
    Require(!reason.empty(), "what is discarded has a reason");
    return ReplayDlq(handler, aggregate);
  }
  Result<std::string> Verify(std::string_view options) override {
    SAFFRON_ASSIGN(VerifyOptions parsed, ParseVerifyOptions(options));
    Require(parsed.patience >= Duration::zero() && parsed.patience <= seconds(3600),
            "patience is bounded");
    return std::string("{}");
  }
  std::string VerifyProgressNow() override { return "{\"running\":false}"; }
  Result<std::string> Rebuild(std::string_view target) override {
    if (target != "graph" && target != "search") return Invalid("target: graph or search");
    return std::string("{}");
  }
};

OmsOptions Options() {
  OmsOptions options;
  options.point_reads = PointReads::kOnIoThreads;
  options.streams.heartbeat = milliseconds(50);
  return options;
}

class Home {
 public:
  Home() : oms_(Options(), &operator_), client_(std::move(*HttpClient::Open({}))) {
    oms_.KeepFollowing();
    Write("/api/v1/database/create?wait=10", R"({"name":"logistics"})");
    Write("/api/v1/database/logistics/ontology?wait=10", kOrderClass);
    for (const std::string id : {"ORD-1", "ORD-2"}) {
      Write("/api/v1/instances/logistics/async/Order/create?wait=10",
            R"({"data":{"id":")" + id + R"(","name":"Ada","weight":2.5}})");
    }
    settled_ = NextSlot();
  }

  // False: it cannot be sent.
  bool Send(const HttpRequest& request, const std::string& target, bool stream, Reply& reply) {
    HttpClientRequest sent{request.method, oms_.url() + target, request.headers, request.body};
    auto response = stream
                        ? client_->Stream(sent, seconds(5), [](std::string_view) { return false; })
                        : client_->Do(sent, seconds(30));
    if (response.Is(Code::kInvalid)) return false;
    Require(response.ok(), "a request has an answer");
    reply.status = response->status;
    reply.body = std::move(response->body);
    return true;
  }

  bool Unchanged() { return NextSlot() == settled_; }

 private:
  void Write(const std::string& target, const std::string& body) {
    SAFFRON_ASSERT(oms_.Post(target, body).status == 200);
  }
  SlotNumber NextSlot() { return oms_.write_side.registry.Read(RegistryRead())->control.next_slot; }

  Operator operator_;
  OmsHttpHome oms_;
  std::unique_ptr<HttpClient> client_;
  SlotNumber settled_;
};

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Nothing waits, however long it is asked to.
std::string WithoutWait(const HttpRequest& request) {
  std::string target = request.path;
  const auto add = [&](std::string_view name, std::string_view value) {
    target.push_back(target.size() == request.path.size() ? '?' : '&');
    target.append(PercentEncode(name)).append("=").append(PercentEncode(value));
  };
  for (const auto& [name, value] : request.query) {
    const bool number = value.find_first_not_of("0123456789") == std::string::npos;
    add(name, name == "wait" && number ? "0" : value);
  }
  if (!request.Query("wait")) add("wait", "0");
  return target;
}

// What is sent as it stands, and is not about the connection.
bool IsSendable(const HttpRequest& request) {
  if (request.method.empty() || !IsPrintable(request.method)) return false;
  if (!request.path.starts_with('/') || !IsPrintable(request.path)) return false;
  if (request.path.find_first_of("#{}[]\\^`|\"<>") != std::string::npos) return false;
  static constexpr std::string_view kOurs[] = {"content-type",  "last-event-id", "x-admin-token",
                                               "authorization", "accept",        "traceparent"};
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto name = request.headers.At(i).first;
    if (std::none_of(std::begin(kOurs), std::end(kOurs),
                     [&](std::string_view ours) { return EqualsIgnoreCase(ours, name); })) {
      return false;
    }
  }
  return true;
}

bool Writes(std::string_view operation) {
  const auto all = WriteOperations();
  return std::any_of(all.begin(), all.end(),
                     [&](const WriteOperation& one) { return one.name == operation; });
}

void CheckStatus(const HttpRequest& request, int status) {
  static constexpr int kStatuses[] = {200, 400, 404, 405, 413, 415, 422};
  const bool waits = request.Query("min_seq") || request.Query("min_position");
  Require(std::find(std::begin(kStatuses), std::end(kStatuses), status) != std::end(kStatuses) ||
              (status == 503 && waits),
          "an answer has one of its statuses");
}

}  // namespace

void FuzzApi(std::string_view bytes) {
  const auto request = ReadRequest(bytes);
  if (!request || !IsSendable(*request)) return;
  const std::string target = WithoutWait(*request);
  const RouteMatch match = ApiRoutes().Match(request->method, request->path);
  const bool found = match.outcome == RouteMatch::Outcome::kFound;
  const RouteSpec* route = found ? &RouteTable()[match.route] : nullptr;
  if (found && Writes(route->operation)) return;
  static Home home;
  Reply reply;
  if (!home.Send(*request, target, found && route->operation == "streamEvents", reply)) return;
  CheckStatus(*request, reply.status);
  Require(found || reply.status != 200, "what has no route is refused");
  if (found && request->method != "HEAD") {
    Require(OmsHttpHome::ProblemOf(reply, *route).empty(), "an answer holds to its schema");
  }
  Require(home.Unchanged(), "a request that does not write changes nothing");
}

}  // namespace saffron::fuzz
