#include "services/oms/openapi.h"

#include <map>
#include <vector>

#include "services/oms/json_object.h"
#include "services/oms/route_table.h"

namespace saffron {
namespace {

std::string SchemaReference(std::string_view name) {
  return R"({"$ref":"#/components/schemas/)" + std::string(name) + R"("})";
}

std::string JsonContent(std::string_view schema) {
  return R"({"application/json":{"schema":)" + SchemaReference(schema) + "}}";
}

void AppendParameters(std::string& out, const RouteSpec& route) {
  std::vector<std::string> parameters;
  for (std::size_t at = route.path.find('{'); at != std::string_view::npos;
       at = route.path.find('{', at + 1)) {
    std::string_view name = route.path.substr(at + 1, route.path.find('}', at) - at - 1);
    std::string text;
    JsonObject(text)
        .Text("name", name)
        .Text("in", "path")
        .Flag("required", true)
        .Raw("schema", R"({"type":"string"})")
        .Close();
    parameters.push_back(std::move(text));
  }
  for (const ParameterSpec& parameter : route.parameters) {
    std::string text;
    JsonObject(text)
        .Text("name", parameter.name)
        .Text("in", parameter.in)
        .Flag("required", parameter.required)
        .Text("description", parameter.summary)
        .Raw("schema", R"({"type":")" + std::string(parameter.type) + R"("})")
        .Close();
    parameters.push_back(std::move(text));
  }
  AppendArray(out, parameters, [](std::string& to, const std::string& text) { to.append(text); });
}

void AppendResponses(std::string& out, const RouteSpec& route) {
  JsonObject responses(out);
  std::string answer;
  JsonObject success(answer);
  success.Text("description", route.summary);
  if (!route.response.empty()) success.Raw("content", JsonContent(route.response));
  success.Close();
  responses.Raw(std::to_string(route.success), answer);
  // With `wait` a write answers when it is final.
  if (route.success == 202) responses.Raw("200", answer);
  auto error = [&responses](std::string_view status, std::string_view what,
                            std::string_view schema) {
    std::string text;
    JsonObject(text).Text("description", what).Raw("content", JsonContent(schema)).Close();
    responses.Raw(status, text);
  };
  if (route.role == Role::kAnyone) {
    if (route.tag == "operations" && route.operation.starts_with("health")) {
      error("503", "a component fails", "Health");
    }
    return responses.Close();
  }
  error("400", "malformed", "Error");
  error("401", "no token", "Error");
  error("403", "an unknown or too weak token", "Error");
  error("404", "it does not exist", "Error");
  if (!route.request.empty()) {
    error("413", "too large", "Error");
    error("415", "not application/json", "Error");
  }
  if (route.success == 202) {
    error("409", "it is at another number, or in use", "Conflict");
    error("422", "not valid against the ontology, or a key used before", "Error");
  }
  error("429", "too much is waiting", "Error");
  error("503", "not now; with outcome unknown, perhaps written", "Error");
  responses.Close();
}

void AppendOperation(std::string& out, const RouteSpec& route) {
  JsonObject operation(out);
  operation.Text("operationId", route.operation).Text("summary", route.summary);
  operation.Raw("tags", R"([")" + std::string(route.tag) + R"("])");
  operation.Text("x-role", RoleName(route.role));
  AppendParameters(operation.Key("parameters"), route);
  if (!route.request.empty()) {
    operation.Raw("requestBody",
                  R"({"required":true,"content":)" + JsonContent(route.request) + "}");
  }
  AppendResponses(operation.Key("responses"), route);
  if (route.role != Role::kAnyone) operation.Raw("security", R"([{"bearer":[]},{"token":[]}])");
  operation.Close();
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

}  // namespace

std::string OpenApiDocument(std::string_view version) {
  std::vector<std::string_view> order;
  std::map<std::string_view, std::vector<const RouteSpec*>> by_path;
  for (const RouteSpec& route : RouteTable()) {
    if (by_path[route.path].empty()) order.push_back(route.path);
    by_path[route.path].push_back(&route);
  }
  std::string out;
  JsonObject document(out);
  document.Text("openapi", "3.1.0");
  std::string info;
  JsonObject(info).Text("title", "Saffron OMS").Text("version", version).Close();
  document.Raw("info", info);
  JsonObject paths(document.Key("paths"));
  for (std::string_view path : order) {
    JsonObject operations(paths.Key(path));
    for (const RouteSpec* route : by_path[path]) {
      AppendOperation(operations.Key(Lower(route->method)), *route);
    }
    operations.Close();
  }
  paths.Close();
  JsonObject components(document.Key("components"));
  components.Raw("securitySchemes",
                 R"({"bearer":{"type":"http","scheme":"bearer"},)"
                 R"("token":{"type":"apiKey","in":"header","name":"X-Admin-Token"}})");
  components.Raw("schemas", OpenApiSchemas());
  components.Close();
  document.Close();
  return out;
}

}  // namespace saffron
