#include "base/thread_runtime.h"

#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <thread>

#include "base/random.h"

namespace saffron {
namespace {

// Some libraries turn a far deadline into an overflowing timespec: waits are cut into slices.
constexpr Duration kLongestWait = std::chrono::hours(1);
constexpr int kBackgroundNice = 19;

class ThreadCondition final : public Condition {
 public:
  explicit ThreadCondition(std::chrono::steady_clock::time_point start) : start_(start) {}

  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }

  bool WaitUntil(Instant deadline) override {
    std::unique_lock<std::mutex> held(mutex_, std::adopt_lock);
    Duration now = std::chrono::steady_clock::now() - start_;
    bool in_time = deadline.since_start > now;
    if (in_time) {
      // Returning from a slice is a spurious return: the deadline has not passed.
      Duration slice = std::min(deadline.since_start - now, kLongestWait);
      changed_.wait_until(held, start_ + now + slice);
      in_time = std::chrono::steady_clock::now() - start_ < deadline.since_start;
    }
    held.release();
    return in_time;
  }

  void NotifyAll() override { changed_.notify_all(); }

 private:
  const std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

class ThreadTask final : public Task {
 public:
  ThreadTask(std::string name, Urgency urgency, std::function<void()> body)
      : thread_([name = std::move(name), urgency, body = std::move(body)] {
          pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
          // Of this thread alone, on Linux. It cannot fail: nobody is refused a lower priority.
          if (urgency == Urgency::kBackground) setpriority(PRIO_PROCESS, 0, kBackgroundNice);
          body();
        }) {}
  ~ThreadTask() override { SAFFRON_ASSERT(!thread_.joinable()); }

  void Join() override {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

std::uint64_t SeedFromKernel() {
  std::uint64_t seed = 0;
  SAFFRON_ASSERT(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

}  // namespace

ThreadRuntime::ThreadRuntime() : start_(std::chrono::steady_clock::now()) {}

Instant ThreadRuntime::Now() { return {std::chrono::steady_clock::now() - start_}; }

WallTime ThreadRuntime::WallNow() {
  auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::floor<milliseconds>(since_epoch).count()};
}

bool ThreadRuntime::SleepFor(Duration duration) {
  Instant now = Now();
  bool forever = duration > Instant::Max() - now;
  Instant deadline = forever ? Instant::Max() : now + duration;
  std::unique_lock<std::mutex> held(stop_mutex_);
  for (; !StopRequested() && now < deadline; now = Now()) {
    stop_changed_.wait_until(held,
                             start_ + now.since_start + std::min(deadline - now, kLongestWait));
  }
  return !StopRequested();
}

std::unique_ptr<Task> ThreadRuntime::Spawn(std::string name, Urgency urgency,
                                           std::function<void()> body) {
  return std::make_unique<ThreadTask>(std::move(name), urgency, std::move(body));
}

std::unique_ptr<Condition> ThreadRuntime::NewCondition() {
  return std::make_unique<ThreadCondition>(start_);
}

std::uint64_t ThreadRuntime::Random() {
  thread_local RandomBits bits(SeedFromKernel());
  return bits.Next();
}

void ThreadRuntime::RequestStop() {
  // Under the mutex, so that a sleeper between its test and its wait cannot miss it.
  std::lock_guard<std::mutex> held(stop_mutex_);
  stop_.store(true, std::memory_order_release);
  stop_changed_.notify_all();
}

bool ThreadRuntime::StopRequested() { return stop_.load(std::memory_order_acquire); }

}  // namespace saffron
