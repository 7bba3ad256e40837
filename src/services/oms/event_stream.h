// EventStreams: the log as server-sent events, with resume. One task follows the log for all
// streams; one whose client takes nothing for a while is dropped, and comes back by itself.
//
// Owned by the OMS; Open may be called by any thread. Nothing survives a crash: a client resumes
// with the last position it saw.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "eventlog/log_context.h"
#include "services/oms/api_call.h"

namespace saffron {

class EventStreams {
 public:
  struct Options {
    std::size_t max_streams = 1'000;
    Duration heartbeat = seconds(15);
    Duration patience = seconds(20);    // with a client that takes nothing
    Duration poll = milliseconds(200);  // between two looks at a slot that is absent
    Duration poll_told = seconds(1);    // the same while LogContext::told
  };

  EventStreams(LogContext& context, Options options);
  ~EventStreams();

  void Start();
  // Closes every stream.
  void Stop();
  // Answers the call: a stream, or why not.
  void Open(const CallPtr& call);

 private:
  struct Stream {
    std::shared_ptr<HttpStream> http;
    std::optional<Position> next;  // none yet: the end of the log
    std::string db;                // empty: all
    std::string topic;             // empty: all
    Instant last_write;
  };
  enum class Fed { kCaughtUp, kMore, kBlocked, kOver };

  void Run();
  // One round over all streams; true when some stream has more to read at once.
  bool Serve(std::list<Stream>& streams);
  Fed Feed(Stream& stream);
  // kNotFound without asking the store when another stream of the round has found nothing there.
  Result<SlotPtr> Look(SlotNumber slot);
  // What of the slot the stream wants. False: the client has not taken enough yet.
  bool Write(Stream& stream, const Slot& slot);
  // False: nothing was taken for too long.
  bool KeepAlive(Stream& stream, Fed fed);

  LogContext& context_;
  const Options options_;
  const std::unique_ptr<Condition> condition_;
  std::list<Stream> opened_;  // not yet taken over by the task
  std::size_t count_ = 0;
  bool stopped_ = false;
  std::optional<SlotNumber> absent_;  // found so in this round
  TaskGroup tasks_;
};

}  // namespace saffron
