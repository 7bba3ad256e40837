// The timers of the simulation, earliest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/runtime.h"

namespace saffron {

class SimProcess;
struct SimFiber;

// A node of a TimerHeap, part of what it wakes (intrusive: a timer is set and taken back on nearly
// every wait, and must cost no allocation and leave nothing behind).
struct Timer {
  static constexpr std::size_t kUnset = SIZE_MAX;
  Duration at{0};
  std::uint64_t sequence = 0;  // timers of one moment fire in the order in which they were set
  std::size_t index = kUnset;  // place in the heap
  // What it wakes: one of the two.
  SimFiber* fiber = nullptr;
  SimProcess* process = nullptr;
  bool set() const { return index != kUnset; }
};

// A binary heap. One thread's; does not own the nodes.
class TimerHeap {
 public:
  bool empty() const { return heap_.empty(); }
  Timer* earliest() const { return heap_.front(); }

  void Set(Timer* timer, Duration at) {
    Cancel(timer);
    timer->at = at;
    timer->sequence = ++sequence_;
    heap_.push_back(timer);
    timer->index = heap_.size() - 1;
    SiftUp(timer->index);
  }

  void Cancel(Timer* timer) {
    if (!timer->set()) return;
    std::size_t hole = timer->index;
    Timer* last = heap_.back();
    heap_.pop_back();
    timer->index = Timer::kUnset;
    if (last == timer) return;
    Place(last, hole);
    SiftUp(hole);
    SiftDown(last->index);
  }

 private:
  static bool Before(const Timer* a, const Timer* b) {
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
  }
  void Place(Timer* timer, std::size_t index) {
    heap_[index] = timer;
    timer->index = index;
  }
  void SiftUp(std::size_t index) {
    Timer* timer = heap_[index];
    for (; index > 0 && Before(timer, heap_[(index - 1) / 2]); index = (index - 1) / 2) {
      Place(heap_[(index - 1) / 2], index);
    }
    Place(timer, index);
  }
  void SiftDown(std::size_t index) {
    Timer* timer = heap_[index];
    for (;;) {
      std::size_t child = 2 * index + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) ++child;
      if (!Before(heap_[child], timer)) break;
      Place(heap_[child], index);
      index = child;
    }
    Place(timer, index);
  }

  std::vector<Timer*> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace saffron
