// What is handed from one thread to another: a bounded channel and a one-shot promise, both over
// Runtime::NewCondition, so that they work (and are scheduling points) in the simulation too.
//
// Neither outlives the Runtime it was made from. All methods may be called from any thread.
// Nothing of them survives a crash.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/runtime.h"

namespace saffron {

// A first-in first-out queue with room for `capacity` items.
//
// A wait ends at its deadline or at Close. A stop request alone wakes no channel: whoever stops a
// loop closes what the loop waits for.
template <class T>
class Channel {
 public:
  Channel(Runtime& runtime, std::size_t capacity)
      : condition_(runtime.NewCondition()), capacity_(capacity) {
    SAFFRON_ASSERT(capacity > 0);
  }

  // Waits for room. False, and the item is dropped, when closed or when the deadline has passed.
  bool Push(T item, Instant deadline) {
    std::lock_guard<Condition> held(*condition_);
    while (!closed_ && items_.size() >= capacity_) {
      if (!condition_->WaitUntil(deadline) && items_.size() >= capacity_) return false;
    }
    return Append(item);
  }

  // False, with the item untouched, when full or closed.
  bool TryPush(T& item) {
    std::lock_guard<Condition> held(*condition_);
    if (items_.size() >= capacity_) return false;
    return Append(item);
  }
  bool TryPush(T&& item) { return TryPush(item); }

  // The oldest item. Nothing when the deadline has passed or the channel is closed and empty.
  std::optional<T> Pop(Instant deadline) {
    std::lock_guard<Condition> held(*condition_);
    if (!WaitForItem(deadline)) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    condition_->NotifyAll();
    return item;
  }

  // Waits for one item, then takes up to `max` of those that are there.
  std::vector<T> PopMany(std::size_t max, Instant deadline) {
    std::lock_guard<Condition> held(*condition_);
    std::vector<T> taken;
    if (max == 0 || !WaitForItem(deadline)) return taken;
    std::size_t count = items_.size() < max ? items_.size() : max;
    taken.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    condition_->NotifyAll();
    return taken;
  }

  // No more pushes; what is queued can still be popped. Wakes every waiter.
  void Close() {
    std::lock_guard<Condition> held(*condition_);
    closed_ = true;
    condition_->NotifyAll();
  }

  bool Closed() const {
    std::lock_guard<Condition> held(*condition_);
    return closed_;
  }
  std::size_t Size() const {
    std::lock_guard<Condition> held(*condition_);
    return items_.size();
  }
  std::size_t Capacity() const { return capacity_; }

 private:
  bool Append(T& item) {
    if (closed_) return false;
    items_.push_back(std::move(item));
    condition_->NotifyAll();
    return true;
  }

  bool WaitForItem(Instant deadline) {
    while (items_.empty()) {
      if (closed_) return false;
      if (!condition_->WaitUntil(deadline) && items_.empty()) return false;
    }
    return true;
  }

  const std::unique_ptr<Condition> condition_;
  const std::size_t capacity_;
  std::deque<T> items_;
  bool closed_ = false;
};

// A value that is set once and may be waited for by many.
template <class T>
class Promise {
 public:
  explicit Promise(Runtime& runtime) : condition_(runtime.NewCondition()) {}

  // The first call wins; false, and no effect, for later ones.
  bool Set(T value) {
    std::lock_guard<Condition> held(*condition_);
    if (value_.has_value()) return false;
    value_.emplace(std::move(value));
    condition_->NotifyAll();
    return true;
  }

  // A copy of the value; nothing when the deadline has passed without one.
  std::optional<T> Wait(Instant deadline) const {
    std::lock_guard<Condition> held(*condition_);
    while (!value_.has_value()) {
      if (!condition_->WaitUntil(deadline) && !value_.has_value()) return std::nullopt;
    }
    return value_;
  }

 private:
  const std::unique_ptr<Condition> condition_;
  std::optional<T> value_;
};

}  // namespace saffron
