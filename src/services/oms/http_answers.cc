#include "services/oms/http_answers.h"

#include "services/oms/json_object.h"

namespace saffron {
namespace {

std::string_view WordOf(int status) {
  switch (status) {
    case 400: return "bad_request";
    case 401: return "unauthorized";
    case 403: return "forbidden";
    case 404: return "not_found";
    case 405: return "method_not_allowed";
    case 409: return "conflict";
    case 413: return "too_large";
    case 415: return "unsupported_media_type";
    case 422: return "invalid";
    case 429: return "too_many_requests";
    case 503: return "unavailable";
    default: return "internal";
  }
}

// A slot is named by its key, which clients know. Other messages hold paths: they are for the log.
std::string DamageOf(const Error& error) {
  const bool slot = error.message().starts_with("events/");
  return "stored data is damaged" + (slot ? ": " + error.message() : std::string());
}

}  // namespace

std::string Quoted(std::string_view text) {
  std::string out;
  json::AppendString(out, text);
  return out;
}

HttpResponse JsonAnswer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse DataAnswer(std::string_view data_json) {
  std::string body;
  JsonObject(body).Text("status", "success").Raw("data", data_json).Close();
  return JsonAnswer(200, std::move(body));
}

HttpResponse ApiError(int status, std::string_view message, std::string_view detail_json,
                      const std::vector<Violation>& errors) {
  std::string body;
  JsonObject object(body);
  object.Text("status", "error").Text("message", message);
  if (detail_json.empty()) {
    object.Text("detail", WordOf(status));
  } else {
    object.Raw("detail", detail_json);
  }
  if (!errors.empty()) {
    AppendArray(object.Key("errors"), errors, [](std::string& out, const Violation& violation) {
      JsonObject(out)
          .Text("pointer", violation.pointer)
          .Text("code", violation.code)
          .Text("message", violation.message)
          .Close();
    });
  }
  object.Close();
  return JsonAnswer(status, std::move(body));
}

HttpResponse WithRetryAfter(HttpResponse response, int seconds) {
  response.headers.Add("Retry-After", std::to_string(seconds));
  return response;
}

HttpResponse AnswerOf(const Error& error) {
  switch (error.code()) {
    case Code::kInvalid: return ApiError(400, error.message());
    case Code::kNotFound: return ApiError(404, error.message());
    case Code::kConflict: return ApiError(409, error.message());
    case Code::kUnavailable:
    case Code::kUnknownOutcome:
    case Code::kCancelled: return WithRetryAfter(ApiError(503, "the service cannot answer now"), 1);
    case Code::kCorrupt: return ApiError(500, DamageOf(error), R"({"error":"corrupt"})");
    case Code::kInternal: break;
  }
  return ApiError(500, "internal error");
}

}  // namespace saffron
