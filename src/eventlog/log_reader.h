// LogReader: the slots of the log in order, verified, read ahead by a task of its own. Waits at an
// absent slot: the resolver settles it. Used by one thread.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/channel.h"
#include "eventlog/log_context.h"

namespace saffron {

class LogReader {
 public:
  struct Options {
    std::string name = "log-reader";
    std::size_t ahead = 8;  // slots
    std::size_t max_read_bytes = std::size_t{16} << 20;
    Duration poll = milliseconds(200);  // between two looks at a slot that is absent
    Duration poll_told = seconds(1);    // the same while LogContext::told
  };
  // Starts at `next`.
  LogReader(LogContext& context, SlotNumber next, Options options);
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  // What follows, tombstones too: at most `max_events` and `max_read_bytes` (but one slot at
  // least), nothing when the deadline has passed. An error (kCorrupt, kUnavailable) is of the next
  // slot, and comes with each call until it could be read; reading goes on trying.
  Result<std::vector<SlotPtr>> Read(std::size_t max_events, Instant deadline);
  SlotNumber next() const { return next_; }
  // The last Read left a slot that it could have given, for its limits.
  bool holds_back() const { return held_back_ != nullptr; }

 private:
  void ReadAhead(SlotNumber next);
  // `next`, and at once what follows it as far as it is known to be there.
  std::vector<Result<SlotPtr>> ReadFrom(SlotNumber next);
  // At the end of the log, told of every slot: no look before there is one. False: nobody has told.
  bool WaitForNews(SlotNumber next);

  LogContext& context_;
  const Options options_;
  SlotNumber next_;
  Channel<Result<SlotPtr>> slots_;
  std::atomic<bool> failure_waits_{false};  // in slots_, behind what was read before it
  std::atomic<bool> failing_{false};        // the last look was in vain
  SlotPtr held_back_;
  TaskGroup tasks_;
};

}  // namespace saffron
