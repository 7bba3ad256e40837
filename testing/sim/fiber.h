// Stackful fibers: a stack that runs one body after another, switched to and from by the one
// thread that drives it. Built on Boost.Context's assembly, with the annotations that
// AddressSanitizer and ThreadSanitizer need to follow a change of stack.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace saffron {

// Owned by a FiberPool. Only the thread that owns the pool may call it.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Sets what the next Resume starts. The fiber must be idle.
  void SetBody(std::function<void()> body);
  // From the driver: runs the fiber until it suspends or its body has returned.
  void Resume();
  // From inside the fiber: goes back to the driver.
  void Suspend();
  // True when the body has returned (or none was set).
  bool idle() const { return !busy_; }

 private:
  [[noreturn]] static void Entry(boost::context::detail::transfer_t transfer);

  std::function<void()> body_;  // here, not on the stack, so that a dropped fiber frees it
  bool busy_ = false;
  void* stack_ = nullptr;  // lowest address: a guard page
  boost::context::detail::fcontext_t context_ = nullptr;
  boost::context::detail::fcontext_t driver_ = nullptr;
  // For the sanitizers only.
  void* fake_stack_ = nullptr;
  const void* driver_stack_bottom_ = nullptr;
  std::size_t driver_stack_size_ = 0;
  [[maybe_unused]] void* thread_state_ = nullptr;
  [[maybe_unused]] void* driver_thread_state_ = nullptr;
};

// Keeps idle fibers with their stacks. One thread's; may serve many simulations in turn.
class FiberPool {
 public:
  std::unique_ptr<Fiber> Take();
  // Takes an idle fiber back; one that is not idle is dropped with whatever lives on its stack.
  void Give(std::unique_ptr<Fiber> fiber);

 private:
  std::vector<std::unique_ptr<Fiber>> idle_;
};

}  // namespace saffron
