#include "services/oms/api_call.h"

#include <algorithm>

#include "domain/names.h"
#include "services/oms/body_reader.h"
#include "services/oms/http_answers.h"

namespace saffron {
namespace {

constexpr std::uint64_t kLongestWaitSeconds = 30;
constexpr std::string_view kMainBranch = "main";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The pieces of a header value between separators.
std::optional<std::string_view> NextPiece(std::string_view& rest, std::string_view separators) {
  if (rest.empty()) return std::nullopt;
  const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
  std::string_view piece = Trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

std::optional<std::string_view> PreferredWait(const HttpRequest& request) {
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto header = request.headers.At(i);
    if (!EqualsIgnoreCase(header.first, "Prefer")) continue;
    std::string_view rest = header.second;
    while (auto piece = NextPiece(rest, ",;")) {
      if (piece->size() > 5 && EqualsIgnoreCase(piece->substr(0, 5), "wait=")) {
        return piece->substr(5);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

void ApiCall::Send(HttpResponse response) {
  if (answered) answered(response.status);
  responder.Send(std::move(response));
}

std::shared_ptr<HttpStream> ApiCall::StartStream(HttpResponse head) {
  if (answered) answered(head.status);
  return responder.StartStream(std::move(head));
}

Result<std::optional<std::uint64_t>> QueryUnsigned(const HttpRequest& request,
                                                   std::string_view name, std::uint64_t max,
                                                   std::uint64_t least) {
  std::optional<std::string_view> text = request.Query(name);
  if (!text) return std::optional<std::uint64_t>();
  std::optional<std::uint64_t> number = ParseUnsigned(*text, max);
  if (number && *number >= least) return number;
  return Invalid(std::string(name) + " must be a whole number from " + std::to_string(least) +
                 " to " + std::to_string(max));
}

Result<bool> QueryFlag(const HttpRequest& request, std::string_view name) {
  std::optional<std::string_view> text = request.Query(name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return Invalid(std::string(name) + " must be true or false");
}

Result<std::optional<Duration>> WaitOf(const HttpRequest& request) {
  std::optional<std::string_view> text = request.Query("wait");
  if (!text) text = PreferredWait(request);
  if (!text) return std::optional<Duration>();
  std::optional<std::uint64_t> number = ParseUnsigned(*text, ~0ULL);
  if (!number) return Invalid("wait must be a whole number of seconds, at most 30");
  return std::optional<Duration>(seconds(std::min(*number, kLongestWaitSeconds)));
}

Result<std::string> BranchOf(const HttpRequest& request) {
  std::string branch(request.Query("branch").value_or(kMainBranch));
  SAFFRON_TRY(CheckBranchName(branch));
  if (branch != kMainBranch) return NotFound("there is no branch \"" + branch + "\"");
  return branch;
}

std::optional<HttpResponse> RefuseContentType(const HttpRequest& request) {
  constexpr std::string_view kMessage = "the content type must be application/json, in UTF-8";
  std::optional<std::string_view> header = request.headers.Find("Content-Type");
  if (!header || request.headers.Count("Content-Type") > 1) return ApiError(415, kMessage);
  std::string_view rest = *header;
  std::optional<std::string_view> type = NextPiece(rest, ";");
  if (!type || !EqualsIgnoreCase(*type, "application/json")) return ApiError(415, kMessage);
  while (auto parameter = NextPiece(rest, ";")) {
    if (parameter->size() < 8 || !EqualsIgnoreCase(parameter->substr(0, 8), "charset=")) continue;
    std::string_view charset = parameter->substr(8);
    if (!EqualsIgnoreCase(charset, "utf-8") && !EqualsIgnoreCase(charset, "\"utf-8\"")) {
      return ApiError(415, kMessage);
    }
  }
  return std::nullopt;
}

struct StepRunner::Running {
  CallPtr call;
  Instant deadline;
  Step step;
  std::function<HttpResponse()> at_deadline;
  IfRefused if_refused;
  int waits = 0;

  void Refuse(int status, std::string_view message) {
    if (if_refused == IfRefused::kAnswerLate) return call->Send(at_deadline());
    call->Send(WithRetryAfter(ApiError(status, message), 1));
  }
};

void StepRunner::Run(const CallPtr& call, Instant deadline, Step step,
                     std::function<HttpResponse()> at_deadline, IfRefused if_refused) {
  auto running = std::make_shared<Running>(
      Running{call, deadline, std::move(step), std::move(at_deadline), if_refused});
  bool taken = tasks_.Add([this, running](bool stopping) {
    if (stopping) return running->Refuse(503, "the service is stopping");
    Advance(running);
  });
  if (!taken) running->Refuse(429, "too many requests are waiting");
}

void StepRunner::RunOnce(const CallPtr& call, std::function<HttpResponse()> step) {
  Run(
      call, Instant::Max(),
      [step = std::move(step)]() -> std::optional<HttpResponse> { return step(); },
      [] { return ApiError(500, "internal error"); });
}

void StepRunner::Advance(const std::shared_ptr<Running>& running) {
  if (std::optional<HttpResponse> answer = running->step()) {
    return running->call->Send(std::move(*answer));
  }
  const Instant now = runtime_.Now();
  if (now >= running->deadline) return running->call->Send(running->at_deadline());
  const std::uint64_t ceiling = std::min<std::uint64_t>(45, 5ULL << std::min(running->waits++, 4));
  Duration delay = milliseconds(5 + runtime_.RandomBelow(ceiling + 1));
  bool taken = tasks_.AddFollowUp(
      [this, running](bool stopping) {
        if (stopping) return running->Refuse(503, "the service is stopping");
        Advance(running);
      },
      std::min(delay, running->deadline - now));
  if (!taken) running->Refuse(429, "too many requests are waiting");
}

}  // namespace saffron
