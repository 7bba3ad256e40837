#include "services/oms/request_tasks.h"

#include <mutex>

namespace saffron {

RequestTasks::RequestTasks(Runtime& runtime, Options options)
    : runtime_(runtime),
      options_(std::move(options)),
      condition_(runtime.NewCondition()),
      tasks_(runtime) {}

RequestTasks::~RequestTasks() { Stop(); }

void RequestTasks::Start() {
  for (int i = 0; i < options_.tasks; ++i) {
    tasks_.Spawn(options_.name + "-" + std::to_string(i), [this] { Run(); });
  }
}

void RequestTasks::Stop() {
  {
    std::lock_guard<Condition> held(*condition_);
    stopped_ = true;
    condition_->NotifyAll();
  }
  tasks_.JoinAll();
  // Without tasks (never started) the jobs are answered here.
  bool stopping = true;
  while (Job job = Take(stopping)) job(true);
}

bool RequestTasks::Add(Job&& job) {
  return Insert(std::move(job), Duration::zero(), options_.capacity);
}

bool RequestTasks::AddFollowUp(Job&& job, Duration delay) {
  return Insert(std::move(job), delay, options_.follow_up_capacity);
}

bool RequestTasks::Insert(Job&& job, Duration delay, std::size_t capacity) {
  std::lock_guard<Condition> held(*condition_);
  if (stopped_ || jobs_.size() >= capacity) return false;
  jobs_.emplace(Entry{runtime_.Now() + delay, next_order_++}, std::move(job));
  condition_->NotifyAll();
  return true;
}

std::size_t RequestTasks::size() const {
  std::lock_guard<Condition> held(*condition_);
  return jobs_.size();
}

RequestTasks::Job RequestTasks::Take(bool& stopping) {
  std::lock_guard<Condition> held(*condition_);
  while (true) {
    stopping = stopped_ || runtime_.StopRequested();
    if (jobs_.empty()) {
      if (stopping) return nullptr;
      condition_->WaitUntil(Instant::Max());
      continue;
    }
    auto first = jobs_.begin();
    if (!stopping && first->first.first > runtime_.Now()) {
      condition_->WaitUntil(first->first.first);
      continue;
    }
    Job job = std::move(first->second);
    jobs_.erase(first);
    return job;
  }
}

void RequestTasks::Run() {
  while (true) {
    bool stopping = false;
    Job job = Take(stopping);
    if (!job) return;
    job(stopping);
  }
}

}  // namespace saffron
