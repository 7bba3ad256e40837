#include "eventlog/log_reader.h"

namespace saffron {

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

void LogReader::ReadAhead(SlotNumber next) {
  Runtime& runtime = context_.runtime;
  Duration pause = milliseconds(5);
  while (!slots_.Closed() && !runtime.StopRequested()) {
    Result<SlotPtr> slot = ReadSlot(context_, next);
    if (slot.ok()) {
      pause = milliseconds(5);
      if (!slots_.Push(std::move(slot), Instant::Max())) return;
      next = next.Next();
      continue;
    }
    // One failure at a time: those of a long outage would be handed out long after its end.
    const bool tell = !slot.Is(Code::kNotFound) && !failure_waits_.exchange(true);
    if (tell && !slots_.Push(std::move(slot), Instant::Max())) return;
    context_.committed.WaitFor(next, runtime.Now() + pause);
    pause = std::min(pause * 2, options_.poll);
  }
}

Result<std::vector<SlotPtr>> LogReader::Read(std::size_t max_events, Instant deadline) {
  std::vector<SlotPtr> read;
  std::size_t events = 0;
  while (true) {
    SlotPtr slot = std::move(held_back_);
    if (slot == nullptr) {
      std::optional<Result<SlotPtr>> popped =
          slots_.Pop(read.empty() ? deadline : context_.runtime.Now());
      if (!popped) return read;
      if (!popped->ok()) {
        failure_waits_.store(false);
        if (read.empty()) return popped->error();
        return read;  // the error comes again: the slot is read again
      }
      slot = std::move(*popped).value();
    }
    if (!read.empty() && events + slot->events.size() > max_events) {
      held_back_ = std::move(slot);
      return read;
    }
    events += slot->events.size();
    next_ = slot->number().Next();
    read.push_back(std::move(slot));
  }
}

}  // namespace saffron
