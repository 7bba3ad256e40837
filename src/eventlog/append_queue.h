// AppendQueue: what waits to be appended. Gives batches to the lanes, in order for each aggregate.
//
// A deferred request keeps its place before later ones of its aggregates and holds up nothing else.
// Aggregates that a lane of this process has reserved and not settled are left out of batches.
// Any thread; nothing survives a crash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/runtime.h"
#include "eventlog/admission.h"
#include "eventlog/append_request.h"

namespace saffron {

struct QueuedRequest {
  using Completion = std::function<void(AppendAnswer)>;

  AppendRequest request;
  Completion done;
  Instant submitted, deadline;
  Instant not_before;
  int deferrals = 0;        // by rows that others held
  int waits = 0;            // for any reason: spaces the retries
  AppendAnswer last;        // what to say at the deadline
  std::uint64_t order = 0;  // place in the queue, for ever
  std::size_t size_bytes = 0;
  std::vector<std::uint64_t> keys;  // hashes of what it writes
};
using QueuedPtr = std::unique_ptr<QueuedRequest>;

// Hashes of the rows that a request or a slot writes; a collision costs a delay, nothing else.
std::vector<std::uint64_t> WrittenKeys(const AppendRequest& request);

struct BatchLimits {
  std::size_t max_events = 1000;
  std::size_t max_bytes = 4 << 20;
  Duration linger{0};  // how long the oldest request may wait for company
  // The same for a batch of outcomes alone. Nobody waits for their acknowledgement, and a slot that
  // they share with the next commands is a write, and a sync, less.
  Duration outcome_linger = milliseconds(2);
  // Of outcomes in a batch while commands wait: somebody waits for those.
  std::size_t max_outcomes_beside = 128;
};

class AppendQueue {
 public:
  AppendQueue(Runtime& runtime, std::size_t max_events, std::size_t max_bytes);

  // False, with the request untouched, when full or closed.
  bool Add(QueuedPtr& request);
  // Puts it back at its place; it is not offered again before the delay has passed.
  void Requeue(QueuedPtr request, Duration delay);

  struct Batch {
    std::vector<QueuedPtr> requests;
    std::vector<QueuedPtr> expired;  // their deadline has passed: answer them
    bool closed = false;             // nothing is left and nothing will come
  };
  // Waits until there is something or `wait_until` has passed. The keys of `riding` count as free:
  // what holds them is settled by the transaction that admits this batch. Keys taken are held.
  Batch Take(const BatchLimits& limits, const std::vector<std::uint64_t>& riding,
             Instant wait_until);
  void Release(const std::vector<std::uint64_t>& keys);
  // Something was settled elsewhere: retry deferred requests now.
  void Wake();
  // No more Add; Take gives out what is left.
  void Close();
  // Closes, and answers all that waits: not applied.
  void RefuseAll();
  std::size_t events() const;

 private:
  using KeyCounts = std::unordered_map<std::uint64_t, int>;
  struct Scan {
    bool ready = false;  // a batch can be given out now
    Instant next;        // when to look again
  };
  Scan Collect(const BatchLimits& limits, const KeyCounts& riding, Batch& batch);
  bool Free(const QueuedRequest& request, const KeyCounts& riding,
            const std::unordered_set<std::uint64_t>& blocked) const;
  QueuedPtr Remove(std::map<std::uint64_t, QueuedPtr>::iterator at);

  Runtime& runtime_;
  const std::unique_ptr<Condition> condition_;
  const std::size_t max_events_, max_bytes_;
  std::map<std::uint64_t, QueuedPtr> waiting_;  // by order
  KeyCounts held_;                              // keys in batches not settled yet
  std::uint64_t next_order_ = 1;
  std::size_t events_ = 0, bytes_ = 0, commands_ = 0;
  int takers_ = 0;
  bool closed_ = false;
};

}  // namespace saffron
