#include "eventlog/append_queue.h"

#include <algorithm>

namespace saffron {
namespace {

std::uint64_t KeyHash(const AggregateKey& key, bool outcome) {
  std::uint64_t salt = static_cast<std::uint64_t>(key.type) * 2 + (outcome ? 1 : 0);
  return std::hash<std::string>()(key.id) ^ (salt * 0x9e3779b97f4a7c15ULL);
}

}  // namespace

std::vector<std::uint64_t> WrittenKeys(const AppendRequest& request) {
  std::vector<std::uint64_t> keys;
  keys.reserve(request.items.size());
  for (const AppendItem& item : request.items) {
    keys.push_back(KeyHash(item.envelope.aggregate, item.outcome.has_value()));
    if (item.outcome) continue;
    if (std::optional<AggregateKey> head = HeadOf(item.envelope)) {
      keys.push_back(KeyHash(*head, false));
    }
  }
  return keys;
}

AppendQueue::AppendQueue(Runtime& runtime, std::size_t max_events, std::size_t max_bytes)
    : runtime_(runtime),
      condition_(runtime.NewCondition()),
      max_events_(max_events),
      max_bytes_(max_bytes) {}

bool AppendQueue::Add(QueuedPtr& request) {
  std::lock_guard<Condition> held(*condition_);
  const std::size_t events = request->request.items.size();
  if (closed_ || events_ + events > max_events_ || bytes_ + request->size_bytes > max_bytes_) {
    return false;
  }
  request->order = next_order_++;
  if (!request->request.items.front().outcome) ++commands_;
  events_ += events;
  bytes_ += request->size_bytes;
  waiting_.emplace_hint(waiting_.end(), request->order, std::move(request));
  if (takers_ > 0) condition_->NotifyAll();
  return true;
}

void AppendQueue::Requeue(QueuedPtr request, Duration delay) {
  std::lock_guard<Condition> held(*condition_);
  for (std::uint64_t key : request->keys) {
    auto at = held_.find(key);
    if (at != held_.end() && --at->second == 0) held_.erase(at);
  }
  request->not_before = runtime_.Now() + delay;
  ++request->waits;
  if (!request->request.items.front().outcome) ++commands_;
  events_ += request->request.items.size();
  bytes_ += request->size_bytes;
  std::uint64_t order = request->order;
  waiting_.emplace(order, std::move(request));
  if (takers_ > 0) condition_->NotifyAll();
}

bool AppendQueue::Free(const QueuedRequest& request, const KeyCounts& riding,
                       const std::unordered_set<std::uint64_t>& blocked) const {
  for (std::uint64_t key : request.keys) {
    if (blocked.contains(key)) return false;
    auto at = held_.find(key);
    if (at == held_.end()) continue;
    auto ours = riding.find(key);
    if (ours == riding.end() || at->second > ours->second) return false;
  }
  return true;
}

QueuedPtr AppendQueue::Remove(std::map<std::uint64_t, QueuedPtr>::iterator at) {
  QueuedPtr request = std::move(at->second);
  waiting_.erase(at);
  if (!request->request.items.front().outcome) --commands_;
  events_ -= request->request.items.size();
  bytes_ -= request->size_bytes;
  return request;
}

AppendQueue::Scan AppendQueue::Collect(const BatchLimits& limits, const KeyCounts& riding,
                                       Batch& batch) {
  const Instant now = runtime_.Now();
  Scan scan{false, Instant::Max()};
  std::unordered_set<std::uint64_t> blocked;
  std::vector<std::uint64_t> chosen;
  std::size_t events = 0, bytes = 0, outcomes = 0;
  bool full = false, outcomes_only = true;
  Instant oldest = Instant::Max();
  for (auto at = waiting_.begin(); at != waiting_.end() && !full;) {
    QueuedRequest& request = *at->second;
    if (request.deadline <= now) {
      batch.expired.push_back(Remove(at++));
      continue;
    }
    scan.next = std::min(scan.next, request.deadline);
    const bool outcome = request.request.items.front().outcome.has_value();
    const bool enough = outcome && commands_ > 0 && outcomes >= limits.max_outcomes_beside;
    if (enough || request.not_before > now || !Free(request, riding, blocked)) {
      if (request.not_before > now) scan.next = std::min(scan.next, request.not_before);
      blocked.insert(request.keys.begin(), request.keys.end());
      ++at;
      continue;
    }
    events += request.request.items.size();
    bytes += request.size_bytes;
    full = events >= limits.max_events || bytes >= limits.max_bytes;
    // The last one may overshoot only when it is alone.
    bool over = events > limits.max_events || bytes > limits.max_bytes;
    if (over && !chosen.empty()) break;
    chosen.push_back(request.order);
    oldest = std::min(oldest, request.submitted);
    outcomes += outcome ? request.request.items.size() : 0;
    outcomes_only = outcomes_only && outcome;
    ++at;
  }
  if (chosen.empty()) return scan;
  const Duration linger =
      outcomes_only ? std::max(limits.linger, limits.outcome_linger) : limits.linger;
  if (!full && !closed_ && now < oldest + linger) {
    scan.next = std::min(scan.next, oldest + linger);
    return scan;
  }
  for (std::uint64_t order : chosen) {
    batch.requests.push_back(Remove(waiting_.find(order)));
    for (std::uint64_t key : batch.requests.back()->keys) ++held_[key];
  }
  scan.ready = true;
  return scan;
}

AppendQueue::Batch AppendQueue::Take(const BatchLimits& limits,
                                     const std::vector<std::uint64_t>& riding, Instant wait_until) {
  KeyCounts free;
  for (std::uint64_t key : riding) ++free[key];
  Batch batch;
  std::lock_guard<Condition> held(*condition_);
  while (true) {
    Scan scan = Collect(limits, free, batch);
    if (scan.ready || !batch.expired.empty()) return batch;
    if (closed_ && waiting_.empty()) {
      batch.closed = true;
      return batch;
    }
    Instant until = std::min(scan.next, wait_until);
    if (runtime_.Now() >= wait_until || runtime_.StopRequested()) return batch;
    ++takers_;
    condition_->WaitUntil(until);
    --takers_;
  }
}

void AppendQueue::Release(const std::vector<std::uint64_t>& keys) {
  std::lock_guard<Condition> held(*condition_);
  for (std::uint64_t key : keys) {
    auto at = held_.find(key);
    if (at != held_.end() && --at->second == 0) held_.erase(at);
  }
  if (takers_ > 0 && !waiting_.empty()) condition_->NotifyAll();
}

void AppendQueue::Wake() {
  std::lock_guard<Condition> held(*condition_);
  for (auto& [order, request] : waiting_) {
    if (request->waits > 0) request->not_before = Instant();
  }
  if (takers_ > 0) condition_->NotifyAll();
}

void AppendQueue::Close() {
  std::lock_guard<Condition> held(*condition_);
  closed_ = true;
  condition_->NotifyAll();
}

void AppendQueue::RefuseAll() {
  std::vector<QueuedPtr> left;
  {
    std::lock_guard<Condition> held(*condition_);
    closed_ = true;
    while (!waiting_.empty()) left.push_back(Remove(waiting_.begin()));
    condition_->NotifyAll();
  }
  for (QueuedPtr& request : left) {
    AppendAnswer answer;
    answer.code = AppendCode::kStopping;
    request->done(std::move(answer));
  }
}

std::size_t AppendQueue::events() const {
  std::lock_guard<Condition> held(*condition_);
  return events_;
}

}  // namespace saffron
