// HealthMonitor: asks every component again and again and keeps the answers, so that a health
// request costs nothing and an answer that got old shows: a component whose check hangs is not
// healthy.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/runtime.h"

namespace saffron {

struct HealthCheck {
  std::string name;
  // May do I/O. Ok: healthy, and its progress is fresh.
  std::function<Status()> check;
};

// Owned by the OMS; any thread. Nothing survives a crash.
class HealthMonitor {
 public:
  struct Options {
    Duration interval = seconds(2);
    Duration stale_after = seconds(20);
  };
  struct Report {
    bool healthy = true;
    std::string failing;  // "registry (no space left), publisher"
    std::string json;     // {"status","components":{name:{"status","reason"?,"age_ms"}}}
  };

  HealthMonitor(Runtime& runtime, std::vector<HealthCheck> checks, Options options);
  ~HealthMonitor();

  // The first answers are there when it returns.
  void Start();
  void Stop();
  Report Now() const;

 private:
  struct Answer {
    Instant at;
    Status status;
  };
  void CheckAll();

  Runtime& runtime_;
  const std::vector<HealthCheck> checks_;
  const Options options_;
  const std::unique_ptr<Condition> condition_;
  std::vector<Answer> answers_;  // beside checks_
  bool stopped_ = false;
  TaskGroup tasks_;
};

}  // namespace saffron
