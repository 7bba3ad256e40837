#include "services/oms/health.h"

#include <mutex>

#include "services/oms/json_object.h"

namespace saffron {
namespace {

// What anyone may be told of why: whom to call. Stores word it in their own ways; the message
// itself, with its paths, is for the log.
std::string_view PublicReason(const Status& status) {
  if (status.ok()) return {};
  const std::string& message = status.error().message();
  for (std::string_view full : {"o space left", "disk is full"}) {
    if (message.find(full) != std::string::npos) return "no space left";
  }
  return {};
}

std::string ComponentJson(std::string_view status, std::string_view reason, Duration age) {
  std::string component;
  JsonObject object(component);
  object.Text("status", status);
  if (!reason.empty()) object.Text("reason", reason);
  const auto age_ms = std::chrono::duration_cast<milliseconds>(age).count();
  object.Number("age_ms", static_cast<std::uint64_t>(age_ms)).Close();
  return component;
}

}  // namespace

HealthMonitor::HealthMonitor(Runtime& runtime, std::vector<HealthCheck> checks, Options options)
    : runtime_(runtime),
      checks_(std::move(checks)),
      options_(options),
      condition_(runtime.NewCondition()),
      tasks_(runtime) {
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    answers_.push_back({runtime.Now(), Unavailable("not checked yet")});
  }
}

HealthMonitor::~HealthMonitor() { Stop(); }

void HealthMonitor::Start() {
  CheckAll();
  tasks_.Spawn("health", [this] {
    while (true) {
      {
        std::lock_guard<Condition> held(*condition_);
        const Instant next = runtime_.Now() + options_.interval;
        while (!stopped_ && !runtime_.StopRequested() && runtime_.Now() < next) {
          condition_->WaitUntil(next);
        }
        if (stopped_ || runtime_.StopRequested()) return;
      }
      CheckAll();
    }
  });
}

void HealthMonitor::Stop() {
  {
    std::lock_guard<Condition> held(*condition_);
    stopped_ = true;
    condition_->NotifyAll();
  }
  tasks_.JoinAll();
}

void HealthMonitor::CheckAll() {
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    Status status = checks_[i].check();
    std::lock_guard<Condition> held(*condition_);
    answers_[i] = {runtime_.Now(), std::move(status)};
  }
}

HealthMonitor::Report HealthMonitor::Now() const {
  Report report;
  std::string components;
  JsonObject object(components);
  const Instant now = runtime_.Now();
  std::lock_guard<Condition> held(*condition_);
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    const Duration age = now - answers_[i].at;
    const bool stale = age > options_.stale_after;
    const bool healthy = !stale && answers_[i].status.ok();
    std::string_view status = stale     ? "STALE"
                              : healthy ? "ok"
                                        : CodeName(answers_[i].status.code());
    const std::string_view reason = PublicReason(answers_[i].status);
    object.Raw(checks_[i].name, ComponentJson(status, reason, age));
    if (healthy) continue;
    report.healthy = false;
    report.failing.append(report.failing.empty() ? "" : ", ").append(checks_[i].name);
    if (!reason.empty()) report.failing.append(" (").append(reason).append(")");
  }
  object.Close();
  JsonObject(report.json)
      .Text("status", report.healthy ? "healthy" : "unhealthy")
      .Raw("components", components)
      .Close();
  return report;
}

}  // namespace saffron
