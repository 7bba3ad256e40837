#include "eventlog/log_reader.h"

#include <algorithm>

namespace saffron {
namespace {

constexpr Duration kFirstPause = milliseconds(5);
constexpr Duration kHolePause = milliseconds(20);

}  // namespace

LogReader::LogReader(LogContext& context, SlotNumber next, Options options)
    : context_(context),
      options_(std::move(options)),
      next_(next),
      slots_(context.runtime, options_.ahead),
      tasks_(context.runtime) {
  tasks_.Spawn(options_.name, [this, next] { ReadAhead(next); });
}

LogReader::~LogReader() {
  slots_.Close();
  context_.committed.Nudge();
  tasks_.JoinAll();
}

bool LogReader::WaitForNews(SlotNumber next) {
  return context_.committed.WaitFor(next, context_.runtime.Now() + options_.poll_told);
}

std::vector<Result<SlotPtr>> LogReader::ReadFrom(SlotNumber next) {
  const std::uint64_t known =
      std::max(context_.committed.highest().value, context_.highest_handed.load());
  const std::uint64_t behind = known < next.value ? 1 : known - next.value + 1;
  std::vector<Result<SlotPtr>> read(std::min<std::size_t>(context_.reads_at_once, behind),
                                    Unavailable("not read"));
  TaskGroup tasks(context_.runtime);
  for (std::size_t i = 1; i < read.size(); ++i) {
    tasks.Spawn(options_.name, [this, &slot = read[i], at = SlotNumber(next.value + i)] {
      slot = ReadSlot(context_, at);
    });
  }
  read[0] = ReadSlot(context_, next);
  tasks.JoinAll();
  return read;
}

void LogReader::ReadAhead(SlotNumber next) {
  Runtime& runtime = context_.runtime;
  Duration pause = kFirstPause;
  bool at_end = false;  // the last look found nothing, and what came since was told
  while (!slots_.Closed() && !runtime.StopRequested()) {
    if (at_end && context_.told.load()) at_end = WaitForNews(next);
    std::vector<Result<SlotPtr>> read = ReadFrom(next);
    for (; !read.empty() && read.front().ok(); next = next.Next()) {
      pause = kFirstPause;
      if (!slots_.Push(std::move(read.front()), Instant::Max())) return;
      read.erase(read.begin());
    }
    failing_.store(!read.empty() && !read.front().Is(Code::kNotFound));
    if (read.empty()) continue;
    Result<SlotPtr> slot = std::move(read.front());  // what came behind it is read again
    const bool absent = slot.Is(Code::kNotFound);
    // One failure at a time: those of a long outage would be handed out long after its end.
    const bool tell = !absent && !failure_waits_.exchange(true);
    if (tell && !slots_.Push(std::move(slot), Instant::Max())) return;
    const SlotNumber highest = context_.committed.highest();
    const bool hole = absent && next <= highest;  // the slots above it were faster
    at_end = absent && !hole && context_.told.load();
    if (at_end) continue;
    context_.committed.WaitFor(std::max(next, highest.Next()), runtime.Now() + pause);
    pause = std::min<Duration>(pause * 2, hole ? kHolePause : options_.poll);
  }
}

Result<std::vector<SlotPtr>> LogReader::Read(std::size_t max_events, Instant deadline) {
  std::vector<SlotPtr> read;
  std::size_t events = 0, bytes = 0;
  while (true) {
    SlotPtr slot = std::move(held_back_);
    if (slot == nullptr) {
      std::optional<Result<SlotPtr>> popped =
          slots_.Pop(read.empty() ? deadline : context_.runtime.Now());
      // A store that takes long to fail tells of it seldom.
      if (!popped && read.empty() && failing_.load()) return Unavailable("the log is out of reach");
      if (!popped) return read;
      if (!popped->ok()) {
        failure_waits_.store(false);
        if (read.empty()) return popped->error();
        return read;  // the error comes again: the slot is read again
      }
      slot = std::move(*popped).value();
    }
    events += slot->events.size();
    bytes += slot->bytes.size();
    if (!read.empty() && (events > max_events || bytes > options_.max_read_bytes)) {
      held_back_ = std::move(slot);
      return read;
    }
    next_ = slot->number().Next();
    read.push_back(std::move(slot));
  }
}

}  // namespace saffron
