// StepHealth: whether the last step of a loop did its work, and if not, why.
//
// Owned by whoever runs the loop, which notes each step; any thread may ask.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace saffron {

class StepHealth {
 public:
  template <class T>
  void Note(const Result<T>& step) {
    if (step.ok() && ok()) return;  // the ordinary case takes no lock
    std::lock_guard<std::mutex> held(mutex_);
    failure_ = step.ok() ? std::nullopt : std::optional<Error>(step.error());
    ok_.store(step.ok());
  }

  bool ok() const { return ok_.load(); }
  Status Now() const {
    std::lock_guard<std::mutex> held(mutex_);
    return failure_ ? Status(*failure_) : Ok();
  }

 private:
  std::atomic<bool> ok_{true};
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace saffron
