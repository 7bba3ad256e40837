#include "app/commands/verify_watch.h"

#include <mutex>

#include "app/json_view.h"
#include "app/loader/progress.h"

namespace saffron {

std::string VerifyProgressText(std::string_view json) {
  const JsonView answer = JsonView::Of(json);
  if (!answer["running"].IsTrue()) return {};
  const std::uint64_t of = answer["of"].Unsigned().value_or(0);
  return answer["phase"].TextOr("") + " " + Grouped(answer["done"].Unsigned().value_or(0)) +
         (of > 0 ? " of " + Grouped(of) : "");
}

VerifyWatch::VerifyWatch(Runtime& runtime, ApiOptions api, Console console)
    : runtime_(runtime),
      api_(std::move(api)),
      console_(console),
      condition_(runtime.NewCondition()) {
  api_.timeout = seconds(10);
  task_ = runtime_.Spawn("verify-watch", [this] { Run(); });
}

VerifyWatch::~VerifyWatch() {
  {
    std::lock_guard<Condition> held(*condition_);
    finished_ = true;
    condition_->NotifyAll();
  }
  task_->Join();
}

void VerifyWatch::Run() {
  auto client = ApiClient::Open(api_);
  if (!client.ok()) return;
  const Duration pause = console_.terminal ? milliseconds(500) : seconds(10);
  bool shown = false;
  std::unique_lock<Condition> held(*condition_);
  Instant next = runtime_.Now() + pause;
  while (!finished_) {
    if (condition_->WaitUntil(next) || finished_) continue;
    held.unlock();
    auto answer = (*client)->Get("/api/v1/admin/verify");
    held.lock();
    if (!answer.ok() || answer->status != 200) break;
    const std::string text = VerifyProgressText(answer->body);
    if (!text.empty() && console_.terminal) console_.err << '\r' << text << "\x1b[K" << std::flush;
    if (!text.empty() && !console_.terminal) console_.err << "verify: " << text << std::endl;
    shown = shown || !text.empty();
    next = runtime_.Now() + pause;
  }
  if (shown && console_.terminal) console_.err << "\r\x1b[K" << std::flush;
}

}  // namespace saffron
