// RequestTasks: the few tasks that do what an io thread must not: registry and log I/O of requests,
// now or a little later. A waiting request is an entry here, never a thread.
//
// Owned by the OMS; any thread may call it. Nothing survives a crash.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/runtime.h"

namespace saffron {

class RequestTasks {
 public:
  struct Options {
    std::string name = "request";
    int tasks = 4;
    std::size_t capacity = 1'000;             // jobs of new requests
    std::size_t follow_up_capacity = 20'000;  // all jobs: what was taken on is also finished
  };
  // True: the tasks are stopping; answer and do nothing else.
  using Job = std::function<void(bool stopping)>;

  RequestTasks(Runtime& runtime, Options options);
  ~RequestTasks();
  RequestTasks(const RequestTasks&) = delete;
  RequestTasks& operator=(const RequestTasks&) = delete;

  void Start();
  // Runs what waits with `stopping`, ends the tasks. Later jobs are refused.
  void Stop();

  // False, with the job untouched, when full or stopped.
  bool Add(Job&& job);
  // The same for the next step of a request that was taken on, after a delay.
  bool AddFollowUp(Job&& job, Duration delay);
  std::size_t size() const;

 private:
  using Entry = std::pair<Instant, std::uint64_t>;  // due, then order

  bool Insert(Job&& job, Duration delay, std::size_t capacity);
  void Run();
  // The next job that is due; empty when stopped and nothing is left.
  Job Take(bool& stopping);

  Runtime& runtime_;
  const Options options_;
  const std::unique_ptr<Condition> condition_;
  std::map<Entry, Job> jobs_;
  std::uint64_t next_order_ = 0;
  bool stopped_ = false;
  TaskGroup tasks_;
};

}  // namespace saffron
