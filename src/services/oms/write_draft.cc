#include "services/oms/write_draft.h"

#include "domain/instance.h"
#include "services/oms/http_answers.h"

namespace saffron {

WriteCommand& WriteParser::Draft::command() {
  if (request_.commands.empty()) request_.commands.emplace_back();
  return request_.commands.front();
}

void WriteParser::Draft::Check(const Status& status) {
  if (!status.ok()) Fail(AnswerOf(status.error()));
}

void WriteParser::Draft::FailBody(const std::vector<Violation>& violations) {
  if (violations.empty()) return;
  Fail(ApiError(400, "the body is not what this request takes", {}, violations));
}

void WriteParser::Draft::TakeDatabase(std::string_view db) {
  Check(CheckDatabaseName(db));
  request_.db = db;
}

void WriteParser::Draft::TakeBranch() {
  Result<std::string> branch = BranchOf(call_.request);
  if (!branch.ok()) return Fail(AnswerOf(branch.error()));
  request_.branch = std::move(*branch);
}

void WriteParser::Draft::TakeClass(std::string_view class_id) {
  Check(CheckClassName(class_id));
  command().class_id = class_id;
}

void WriteParser::Draft::TakeInstance(std::string_view instance_id) {
  Check(CheckInstanceId(instance_id));
  command().instance_id = instance_id;
}

void WriteParser::Draft::TakeExpected() {
  auto expected = QueryUnsigned(call_.request, "expected_seq", kMaxSequence);
  if (!expected.ok()) return Fail(AnswerOf(expected.error()));
  if (!*expected) return Fail(ApiError(400, "expected_seq is required"));
  command().expected_seq = SequenceNumber(**expected);
}

std::string_view WriteParser::Draft::RequireBody() {
  constexpr std::string_view kNothing = "{}";
  if (std::optional<HttpResponse> refusal = RefuseContentType(call_.request)) {
    Fail(std::move(*refusal));
    return kNothing;
  }
  Status checked = CheckClientJson(call_.request.body);
  Check(checked);
  return checked.ok() ? std::string_view(call_.request.body) : kNothing;
}

void WriteParser::Draft::AllowBody() {
  if (call_.request.body.empty()) return;
  BodyReader body(RequireBody());
  TakeBodyKey(body.OptionalText("command_id"));
  FailBody(body.Finish());
}

void WriteParser::Draft::TakeKey(const EventId& fresh) {
  const HttpHeaders& headers = call_.request.headers;
  std::optional<std::string_view> header = headers.Find("Idempotency-Key");
  request_.request_id = fresh;
  if (headers.Count("Idempotency-Key") > 1) return Fail(ApiError(400, "two Idempotency-Keys"));
  std::optional<std::string_view> member;
  if (body_key_) member = *body_key_;
  for (std::optional<std::string_view> key : {header, member}) {
    if (!key) continue;
    if (key->empty() || key->size() > kMaxKeyBytes) {
      return Fail(ApiError(400, "an idempotency key has 1 to 255 bytes"));
    }
    const EventId id = CommandIdFromKey(request_.db, *key);
    if (request_.keyed && id != request_.request_id) {
      return Fail(ApiError(400, "Idempotency-Key and command_id differ"));
    }
    request_.request_id = id;
    request_.keyed = true;
  }
}

ParsedWrite WriteParser::Draft::Finish(const EventId& fresh) {
  TakeKey(fresh);
  if (refusal_) return std::move(*refusal_);
  request_.traceparent = TraceparentOf(call_.request);
  return std::move(request_);
}

}  // namespace saffron
