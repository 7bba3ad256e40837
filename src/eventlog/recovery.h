// Recovery: opening a log with its registry, and the fence that makes a registry of another state
// one of this log's. docs/event-log.md, "Incarnation and recovery fence".
#pragma once

#include <functional>

#include "eventlog/log_context.h"

namespace saffron {

// Proves put-if-absent, put-if-match and read-after-write under .saffron/probe/. kInvalid when the
// store accepts a condition and ignores it.
Status ProbeStore(ObjectStore& store, Runtime& runtime);

inline constexpr std::string_view kProbeFolder = ".saffron/probe/";
inline constexpr std::string_view kFormatKey = "events/format.json";

// kInvalid: of a newer version, whatever else it says. kCorrupt: not readable.
Result<EventLogFormat> DecodeFormat(const std::string& bytes);

// Reads events/format.json, or makes the log with `wanted` (its log id is drawn here). kInvalid
// when the log is there with another max_event_bytes than an explicitly wanted one.
Result<EventLogFormat> OpenFormat(ObjectStore& store, Runtime& runtime, EventLogFormat wanted,
                                  bool explicit_max_event_bytes);

// Ends with a registry that serves RESERVE: binds an empty one to the log, fences when its
// incarnation changed or it lags the log, else settles expired reservations (all, if exclusive).
// Several processes may start at once: one of them fences, the others wait for it.
// kInvalid names `saffron rebuild registry` when the registry is of another log or ahead of it.
Status OpenRegistry(LogContext& context);

enum class Recovery {
  kInvalidateFirst,  // every RESERVE is refused from now on, whatever the incarnation says
  kAsItIs,           // the stored incarnation differs already
  kFromEmpty,        // the same as the first, and all rows are forgotten: the whole log is folded
};
using RecoveryProgress = std::function<void(SlotNumber at)>;
// The fence. One process at a time; kUnavailable while another runs it. Safe to repeat.
Status Recover(LogContext& context, Recovery mode, const RecoveryProgress& progress = {});

// The fence, if it is still needed once the lock is held: every process notices that the registry's
// engine was restarted, and one fence is enough; each more would cut off what was reserved since.
Status RecoverUnlessFenced(LogContext& context);

// Forgets the registry's rows and folds the whole log again.
Status RebuildRegistry(LogContext& context, const RecoveryProgress& progress);

// Store and registry answer; and the store takes an object. For who has left its work to others,
// before it comes back.
bool CanRead(LogContext& context);
bool CanAppend(LogContext& context);

}  // namespace saffron
