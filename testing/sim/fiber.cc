#include "testing/sim/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/result.h"

#if defined(__SANITIZE_ADDRESS__)
#define SAFFRON_ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAFFRON_ASAN_FIBERS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SAFFRON_TSAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SAFFRON_TSAN_FIBERS 1
#endif
#endif

#ifdef SAFFRON_ASAN_FIBERS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SAFFRON_TSAN_FIBERS
#include <sanitizer/tsan_interface.h>
#endif

namespace saffron {
namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

#if defined(SAFFRON_ASAN_FIBERS) || defined(SAFFRON_TSAN_FIBERS)
constexpr std::size_t kStackBytes = 1024 * 1024;  // instrumented frames are several times larger
#else
constexpr std::size_t kStackBytes = 256 * 1024;
#endif

// Not asked of the kernel on every switch.
std::size_t GuardBytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// Before a jump: `fake_stack` keeps what the sanitizer knows of the stack that is left.
void LeaveStack([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                [[maybe_unused]] std::size_t size) {
#ifdef SAFFRON_ASAN_FIBERS
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
#endif
}

// After a jump; tells where the stack that was left lies.
void ArriveOnStack([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** left_bottom,
                   [[maybe_unused]] std::size_t* left_size) {
#ifdef SAFFRON_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(fake_stack, left_bottom, left_size);
#endif
}

}  // namespace

Fiber::Fiber() {
  std::size_t guard = GuardBytes();
  stack_ = mmap(nullptr, guard + kStackBytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  SAFFRON_ASSERT(stack_ != MAP_FAILED);
  SAFFRON_ASSERT(mprotect(stack_, guard, PROT_NONE) == 0);
  char* bottom = static_cast<char*>(stack_) + guard;
  context_ = make_fcontext(bottom + kStackBytes, kStackBytes, &Fiber::Entry);
#ifdef SAFFRON_TSAN_FIBERS
  thread_state_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#ifdef SAFFRON_TSAN_FIBERS
  __tsan_destroy_fiber(thread_state_);
#endif
#ifdef SAFFRON_ASAN_FIBERS
  // The frames of Entry stay poisoned otherwise, and the address may be mapped again.
  __asan_unpoison_memory_region(static_cast<char*>(stack_) + GuardBytes(), kStackBytes);
#endif
  munmap(stack_, GuardBytes() + kStackBytes);
}

void Fiber::SetBody(std::function<void()> body) {
  SAFFRON_ASSERT(idle() && body);
  body_ = std::move(body);
  busy_ = true;
}

void Fiber::Resume() {
  void* driver_fake_stack = nullptr;
  LeaveStack(&driver_fake_stack, static_cast<char*>(stack_) + GuardBytes(), kStackBytes);
#ifdef SAFFRON_TSAN_FIBERS
  driver_thread_state_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_state_, 0);
#endif
  transfer_t transfer = jump_fcontext(context_, this);
  context_ = transfer.fctx;
  ArriveOnStack(driver_fake_stack, nullptr, nullptr);
}

void Fiber::Suspend() {
  LeaveStack(&fake_stack_, driver_stack_bottom_, driver_stack_size_);
#ifdef SAFFRON_TSAN_FIBERS
  __tsan_switch_to_fiber(driver_thread_state_, 0);
#endif
  transfer_t transfer = jump_fcontext(driver_, nullptr);
  driver_ = transfer.fctx;
  ArriveOnStack(fake_stack_, &driver_stack_bottom_, &driver_stack_size_);
}

void Fiber::Entry(transfer_t transfer) {
  auto* self = static_cast<Fiber*>(transfer.data);
  self->driver_ = transfer.fctx;
  ArriveOnStack(nullptr, &self->driver_stack_bottom_, &self->driver_stack_size_);
  for (;;) {
    self->body_();
    self->body_ = nullptr;
    self->busy_ = false;
    self->Suspend();
  }
}

std::unique_ptr<Fiber> FiberPool::Take() {
  if (idle_.empty()) return std::make_unique<Fiber>();
  std::unique_ptr<Fiber> fiber = std::move(idle_.back());
  idle_.pop_back();
  return fiber;
}

void FiberPool::Give(std::unique_ptr<Fiber> fiber) {
  if (fiber->idle()) idle_.push_back(std::move(fiber));
}

}  // namespace saffron
