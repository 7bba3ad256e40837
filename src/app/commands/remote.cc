#include "app/commands/remote.h"

#include <algorithm>
#include <array>

#include "app/commands/print_json.h"
#include "app/commands/verify_text.h"
#include "app/commands/verify_watch.h"
#include "app/exit_code.h"
#include "app/json_view.h"
#include "base/thread_runtime.h"
#include "net/url.h"

namespace saffron {
namespace {

// Sends one request and prints what comes back.
class RemoteCall {
 public:
  RemoteCall(const RemoteOptions& remote, Console console) : remote_(remote), console_(console) {}

  // Empty body: a GET.
  int Run(const std::string& path, std::string body) {
    auto client = ApiClient::Open(remote_.api);
    if (!client.ok()) return Fail(client.error().message(), kExitFailed);
    auto response =
        body.empty() ? (*client)->Get(path) : (*client)->Send("POST", path, std::move(body), "");
    if (!response.ok()) {
      bool bad_url = response.Is(Code::kInvalid);
      int code = Fail(remote_.api.server_url + ": " + response.error().message(),
                      bad_url ? kExitUsage : kExitUnreachable);
      if (response.Is(Code::kUnavailable)) {
        console_.err << "Is a server running there? `saffron serve` starts one; --data-dir works "
                        "without.\n";
      }
      return code;
    }
    response_ = std::move(*response);
    int code = ExitCodeOf(response_);
    if (code != kExitOk) Fail(ErrorMessage(response_), code);
    if (response_.status >= 500) console_.err << "The log of the server says why.\n";
    return code;
  }

  const HttpResponse& response() const { return response_; }

  void Print() {
    if (remote_.output == OutputFormat::kJson) {
      console_.out << response_.body << "\n";
    } else {
      console_.out << JsonAsText(response_.body);
    }
  }

 private:
  int Fail(const std::string& message, int code) {
    console_.err << "saffron: " << message << "\n";
    return code;
  }

  const RemoteOptions& remote_;
  Console console_;
  HttpResponse response_;
};

int CallAndPrint(const RemoteOptions& remote, Console console, const std::string& path,
                 std::string body) {
  RemoteCall call(remote, console);
  int code = call.Run(path, std::move(body));
  if (code == kExitOk) call.Print();
  return code;
}

class ObjectWriter {
 public:
  void Raw(std::string_view name, std::string_view raw) {
    out_.push_back(out_.empty() ? '{' : ',');
    json::AppendString(out_, name);
    out_.append(":").append(raw);
  }
  void Text(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    std::string raw;
    json::AppendString(raw, text);
    Raw(name, raw);
  }
  std::string Take() { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// 3, 2.5, true and "quoted" are what they are, everything else is text.
std::string ValueJson(std::string_view text) {
  JsonView json = JsonView::Of(text);
  if (json.exists()) return std::string(json.raw());
  std::string out;
  json::AppendString(out, text);
  return out;
}

Status AddFilters(const QueryOptions& query, ObjectWriter& body) {
  if (query.where.empty()) return Ok();
  std::string filters = "[";
  for (const std::string& where : query.where) {
    SAFFRON_ASSIGN(std::string filter, FilterJson(where));
    if (filters.size() > 1) filters.push_back(',');
    filters.append(filter);
  }
  body.Raw("filters", filters + "]");
  return Ok();
}

Result<std::string> SearchBody(const QueryOptions& query) {
  ObjectWriter body;
  body.Text("class", query.class_id);
  SAFFRON_TRY(AddFilters(query, body));
  body.Text("text", query.text);
  body.Text("sort", query.sort);
  body.Raw("limit", std::to_string(query.limit));
  body.Text("cursor", query.cursor);
  return body.Take();
}

Result<std::string> GraphBody(const QueryOptions& query) {
  if (query.class_id.empty()) return Invalid("a graph query starts at a class: give one");
  ObjectWriter body;
  body.Text("start_class", query.class_id);
  std::string hops = "[";
  for (const std::string& hop : query.hops) {
    std::size_t colon = hop.find(':');
    if (colon == 0 || hop.empty()) return Invalid("\"" + hop + "\" is no hop: predicate:Target");
    ObjectWriter one;
    one.Text("predicate", hop.substr(0, colon));
    if (colon != std::string::npos) one.Text("target_class", hop.substr(colon + 1));
    if (hops.size() > 1) hops.push_back(',');
    hops.append(one.Take());
  }
  body.Raw("hops", hops + "]");
  SAFFRON_TRY(AddFilters(query, body));
  body.Raw("limit", std::to_string(query.limit));
  body.Raw("include_documents", query.paths ? "false" : "true");
  if (query.paths) body.Raw("include_paths", "true");
  return body.Take();
}

// One line a document where the answer has a list of them, else the answer as text.
void PrintDocuments(const HttpResponse& response, Console console) {
  JsonView answer = JsonView::Of(response.body);
  for (const JsonView& holder : {answer["data"], answer}) {
    for (std::string_view name : {"instances", "documents", "results", "items", "nodes"}) {
      if (!holder[name].Is(json::Kind::kArray)) continue;
      auto documents = holder[name].Elements();
      for (const JsonView& document : documents) console.out << document.raw() << "\n";
      for (const JsonView& warning : answer["warnings"].Elements()) {
        console.err << "warning: " << warning.TextOr("") << "\n";
      }
      console.err << documents.size() << " shown";
      std::string cursor = holder["next_cursor"].TextOr(holder["cursor"].TextOr(""));
      if (!cursor.empty()) console.err << "; more: --cursor '" << cursor << "'";
      console.err << "\n";
      return;
    }
  }
  console.out << JsonAsText(response.body);
}

// One line a path: "Order/1 -> Item/1.1 -> Sku/7".
void PrintPaths(const HttpResponse& response, Console console) {
  const JsonView answer = JsonView::Of(response.body);
  const auto paths = answer["paths"].Elements();
  for (const JsonView& path : paths) {
    std::string line;
    for (const JsonView& node : path.Elements()) {
      line.append(line.empty() ? "" : " -> ").append(node.TextOr(node.raw()));
    }
    console.out << line << "\n";
  }
  console.err << paths.size() << " paths from " << answer["count"].Unsigned().value_or(0)
              << " start nodes"
              << (answer["page"]["more"].IsTrue() ? "; there are more: raise --limit" : "") << "\n";
}

}  // namespace

Result<std::string> FilterJson(std::string_view where) {
  struct Operator {
    std::string_view text, name;
  };
  // Longer ones first: ">=" begins like ">".
  constexpr std::array<Operator, 8> kOperators = {{{">=", "gte"},
                                                   {"<=", "lte"},
                                                   {"!=", "ne"},
                                                   {"=", "eq"},
                                                   {">", "gt"},
                                                   {"<", "lt"},
                                                   {" prefix ", "prefix"},
                                                   {" match ", "match"}}};
  std::size_t at = std::string_view::npos;
  const Operator* found = nullptr;
  for (const Operator& op : kOperators) {
    std::size_t here = where.find(op.text);
    if (here < at) {
      at = here;
      found = &op;
    }
  }
  if (found == nullptr || Trimmed(where.substr(0, at)).empty()) {
    return Invalid("\"" + std::string(where) +
                   "\" is no filter: field = value, with one of = != "
                   "> >= < <= prefix match");
  }
  ObjectWriter filter;
  filter.Text("field", Trimmed(where.substr(0, at)));
  filter.Text("op", found->name);
  filter.Raw("value", ValueJson(Trimmed(where.substr(at + found->text.size()))));
  return filter.Take();
}

int RunStatus(const RemoteOptions& remote, Console console) {
  return CallAndPrint(remote, console, "/api/v1/admin/status", "");
}

int RunQuery(const RemoteOptions& remote, const QueryOptions& query, Console console) {
  const std::string db = PercentEncode(query.db);
  if (!query.instance_id.empty()) {
    std::string path = "/api/v1/instance/" + db + "/instance/" + PercentEncode(query.instance_id);
    if (!query.class_id.empty()) path.append("?class=").append(PercentEncode(query.class_id));
    return CallAndPrint(remote, console, path, "");
  }
  bool graph = !query.hops.empty();
  if (query.paths && !graph) {
    console.err << "saffron query: --paths goes with --hop\n";
    return kExitUsage;
  }
  auto body = graph ? GraphBody(query) : SearchBody(query);
  if (!body.ok()) {
    console.err << "saffron query: " << body.error().message() << "\n";
    return kExitUsage;
  }
  RemoteCall call(remote, console);
  int code = call.Run((graph ? "/api/v1/graph-query/" : "/api/v1/query/") + db, std::move(*body));
  if (code != kExitOk) return code;
  if (remote.output == OutputFormat::kJson) {
    call.Print();
  } else if (query.paths) {
    PrintPaths(call.response(), console);
  } else {
    PrintDocuments(call.response(), console);
  }
  return kExitOk;
}

int RunDlq(const RemoteOptions& remote, const DlqOptions& options, Console console) {
  if (options.action == "list" || options.action == "show") {
    std::string path = "/api/v1/admin/dlq";
    char separator = '?';
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{"handler", options.handler},
          {"aggregate_type", options.aggregate_type},
          {"aggregate_id", options.aggregate_id}}) {
      if (value.empty()) continue;
      path.append(1, separator).append(name).append("=").append(PercentEncode(value));
      separator = '&';
    }
    return CallAndPrint(remote, console, path, "");
  }
  ObjectWriter body;
  body.Text("action", options.action);
  body.Text("handler", options.handler);
  body.Text("aggregate_type", options.aggregate_type);
  body.Text("aggregate_id", options.aggregate_id);
  body.Text("reason", options.reason);
  return CallAndPrint(remote, console, "/api/v1/admin/dlq", body.Take());
}

int RunVerify(const RemoteOptions& remote, const VerifyRequest& request, Console console) {
  ObjectWriter body;
  for (const auto& [name, number] :
       {std::pair<std::string_view, std::uint64_t>{"from_slot", request.from_slot},
        {"sample", request.sample},
        {"memory_mib", request.memory_mib}}) {
    if (number > 0) body.Raw(name, std::to_string(number));
  }
  if (request.repair == Repair::kIndex) body.Text("repair", "index");
  RemoteCall call(remote, console);
  int code = kExitOk;
  {
    ThreadRuntime runtime;
    VerifyWatch watch(runtime, remote.api, console);
    code = call.Run("/api/v1/admin/verify", body.Take());
  }
  if (code != kExitOk) return code;
  if (remote.output == OutputFormat::kJson) {
    call.Print();
  } else {
    console.out << VerifyAsText(call.response().body);
  }
  return JsonView::Of(call.response().body)["clean"].IsTrue() ? kExitOk : kExitFailed;
}

int RunRebuild(const RemoteOptions& remote, const std::string& target, Console console) {
  ObjectWriter body;
  body.Text("target", target);
  return CallAndPrint(remote, console, "/api/v1/admin/rebuild", body.Take());
}

}  // namespace saffron
