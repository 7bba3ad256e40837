// A database that is made, decided, refused a stale write, and deleted again.
#include "app/commands/check_subject.h"
#include "app/json_view.h"
#include "net/url.h"

namespace saffron {
namespace {

constexpr Duration kPause = milliseconds(200);
constexpr Duration kDeletionTime = seconds(10);  // to be accepted, when the deadline has passed
constexpr const char* kNoProbe = "the probe was not accepted";

bool IsFinal(const std::string& status) { return status == "COMPLETED" || status == "FAILED"; }

std::string Why(const Result<HttpResponse>& response) {
  return response.ok() ? ErrorMessage(*response) : response.error().message();
}

// With a key, so that it may be sent until it is answered.
Result<HttpResponse> SendUntil(CheckSubject& subject, Instant deadline, std::string_view method,
                               const std::string& path, const std::string& body,
                               const EventId& key) {
  while (true) {
    Result<HttpResponse> response = subject.api.Send(method, path, body, key.ToString());
    if (!IsWorthRetrying(response) || subject.runtime.Now() >= deadline) return response;
    subject.progress.Say("waiting: the server takes a command");
    if (!subject.runtime.SleepFor(kPause)) return response;
  }
}

std::string DeletePath(const CheckProbe& probe, SequenceNumber expected) {
  return "/api/v1/database/" + probe.db + "?expected_seq=" + std::to_string(expected.value);
}

// "COMPLETED"; or what kept it from being told.
std::string StatusOf(CheckSubject& subject, const EventId& command) {
  Result<HttpResponse> response =
      subject.api.Get("/api/v1/commands/" + command.ToString() + "/status");
  if (!response.ok() || response->status != 200) return Why(response);
  const JsonView answer = JsonView::Of(response->body);
  std::string status = answer["status"].TextOr("?");
  const std::string error = answer["error"].TextOr("");
  return error.empty() || status == "COMPLETED" ? status : status + " (" + error + ")";
}

std::string_view NameOf(ClaimStatus status) {
  switch (status) {
    case ClaimStatus::kProcessing: return "processing";
    case ClaimStatus::kDone: return "done";
    case ClaimStatus::kFailed: return "failed";
    case ClaimStatus::kSkippedStale: return "skipped_stale";
  }
  return "";
}

// The probe's number as the server has it now; 0: there is none, or it cannot be told.
SequenceNumber NumberNow(CheckSubject& subject) {
  Result<HttpResponse> response =
      subject.api.Get("/api/v1/aggregates/Database/" + subject.probe.db);
  if (!response.ok() || response->status != 200) return {};
  return SequenceNumber(
      JsonView::Of(response->body)["data"]["sequence_number"].Unsigned().value_or(0));
}

// What the log holds of the probe beyond its creation; nothing: its events cannot be read.
std::optional<std::size_t> EventsAbove(CheckSubject& subject, SequenceNumber number) {
  Result<HttpResponse> response =
      subject.api.Get("/api/v1/aggregates/Database/" + subject.probe.db + "/events");
  if (!response.ok() || response->status != 200) return std::nullopt;
  std::size_t above = 0;
  for (const JsonView& logged : JsonView::Of(response->body)["data"]["events"].Elements()) {
    above += logged["event"]["sequence_number"].Unsigned().value_or(0) > number.value ? 1 : 0;
  }
  return above;
}

}  // namespace

CheckItem ProbeAccepted(CheckSubject& subject) {
  CheckProbe& probe = subject.probe;
  ItemOf item("probe_accepted", "A probe command is accepted");
  if (!subject.server_answered) return item.NotApplicable("the server does not answer");
  for (EventId* id : {&probe.create, &probe.stale, &probe.remove}) {
    *id = EventId(subject.runtime.NewUuid());
  }
  // The end of a UUID is its random part.
  probe.db = "saffron-check-" + probe.create.ToString().substr(24);
  item.LookedAt("POST " + subject.Shown("/api/v1/database/create") + ", " + probe.db);
  probe.sent = true;
  Result<HttpResponse> response =
      SendUntil(subject, subject.deadline, "POST", "/api/v1/database/create",
                "{\"name\":\"" + probe.db + "\"}", probe.create);
  if (response.ok() && response->status / 100 != 2) probe.refused_with = response->status;
  if (!response.ok() || response->status / 100 != 2) {
    return item.Failed(Why(response), "look at the health above, and at the token");
  }
  const JsonView data = JsonView::Of(response->body)["data"];
  const auto position = Position::Parse(data["position"].TextOr(""));
  probe.number = SequenceNumber(data["sequence_number"].Unsigned().value_or(0));
  if (!position || probe.number == SequenceNumber()) {
    return item.Failed("the answer has no position and number: " + response->body,
                       "is what answers there a server of this version of saffron?");
  }
  probe.position = *position;
  probe.accepted = true;
  return item.Passed("number " + std::to_string(probe.number.value) + " at position " +
                     position->ToString());
}

CheckItem ConsumerDone(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  const ClaimKey key{std::string(HandlerOf(AggregateType::kDatabase)), probe.create};
  const ItemOf item("consumer_done", "A consumer has worked the probe off",
                    "processed_events of " + key.handler);
  if (!subject.registry_is_server()) {
    return item.NotApplicable("the API shows no row of the embedded registry");
  }
  if (subject.registry.claims == nullptr) {
    return item.NotApplicable("this deployment's registry was not reached");
  }
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  std::string last = "no row";
  const bool done = subject.WaitFor("processed_events.status = done", [&] {
    ClaimRead read;
    read.claims.push_back(key);
    Result<ClaimRows> rows = subject.registry.claims->Read(read);
    if (!rows.ok()) last = rows.error().message();
    if (!rows.ok() || rows->claims.count(key) == 0) return false;
    const ClaimRow& row = rows->claims.at(key);
    last = "status " + std::string(NameOf(row.status)) +
           (row.last_error.empty() ? "" : ", last error: " + row.last_error);
    return row.status == ClaimStatus::kDone;
  });
  if (done) return item.Passed(last);
  return item.Failed(last, "is an ontology worker running? its /health; saffron dlq list");
}

CheckItem ProbeCompleted(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  ItemOf item("probe_completed", "The probe command is COMPLETED");
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  item.LookedAt("GET " + subject.Shown("/api/v1/commands/" + probe.create.ToString() + "/status"));
  std::string status;
  subject.WaitFor("the command is COMPLETED", [&] {
    status = StatusOf(subject, probe.create);
    return IsFinal(status.substr(0, status.find(' ')));
  });
  if (status == "COMPLETED") return item.Passed(status);
  return item.Failed(status,
                     "are an ontology worker and a graph writer running? their /health; saffron "
                     "status; saffron dlq list");
}

// The number before the probe's own: what somebody would send who has not seen it.
CheckItem StaleWriteRefused(CheckSubject& subject) {
  const CheckProbe& probe = subject.probe;
  ItemOf item("stale_write_refused", "A stale expected_seq gets 409 and appends nothing");
  if (!probe.accepted) return item.NotApplicable(kNoProbe);
  const std::string path = DeletePath(probe, SequenceNumber(probe.number.value - 1));
  item.LookedAt("DELETE " + subject.Shown(path) + ", then its events in the log");
  constexpr const char* kToDo = "report it: this must not happen; is the server one of saffron?";
  Result<HttpResponse> response =
      SendUntil(subject, subject.deadline, "DELETE", path, "", probe.stale);
  if (!response.ok() || response->status >= 500) {
    return item.Failed(Why(response), "look at the health above");
  }
  if (response->status != 409) return item.Failed("answered " + Why(response), kToDo);
  const std::optional<std::size_t> above = EventsAbove(subject, probe.number);
  if (!above) return item.Failed("409, but its events cannot be read", "look at the health above");
  if (*above > 0) {
    return item.Failed("409, but the log has " + std::to_string(*above) + " more events", kToDo);
  }
  return item.Passed("409, and nothing was appended");
}

CheckItem ProbeDeleted(CheckSubject& subject) {
  CheckProbe& probe = subject.probe;
  ItemOf item("probe_deleted", "The probe database is deleted, by a command");
  if (!probe.sent) return item.NotApplicable("no probe was sent");
  // One that was not answered may be in the log all the same.
  if (const SequenceNumber now = NumberNow(subject); now != SequenceNumber()) probe.number = now;
  if (probe.number == SequenceNumber()) {
    if (probe.refused_with / 100 == 4) return item.NotApplicable("the probe was refused");
    return item.NotApplicable("the server knows no database " + probe.db);
  }
  const std::string path = DeletePath(probe, probe.number);
  item.LookedAt("DELETE " + subject.Shown(path));
  const std::string by_hand = "later, by hand: curl -X DELETE '" + subject.Shown(path) + "'";
  const Instant until = std::max(subject.deadline, subject.runtime.Now() + kDeletionTime);
  Result<HttpResponse> response = SendUntil(subject, until, "DELETE", path, "", probe.remove);
  if (!response.ok() || response->status / 100 != 2) return item.Failed(Why(response), by_hand);
  std::string status;
  subject.WaitFor("the deletion is COMPLETED", [&] {
    status = StatusOf(subject, probe.remove);
    return IsFinal(status.substr(0, status.find(' ')));
  });
  if (status == "COMPLETED") return item.Passed("COMPLETED; its events stay in the log");
  return item.Failed("accepted, and " + status,
                     "nothing: it lies in the log, and is carried out when the workers go on");
}

}  // namespace saffron
