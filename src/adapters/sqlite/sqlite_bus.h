// The embedded message bus: partitions, group offsets and generations in one SQLite file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapters/embedded/in_process_bus.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

struct SqliteBusOptions {
  std::string path;
  std::string log_id = {};  // that its records are of; empty: nobody asks
  Duration session_timeout = seconds(300);
  std::size_t max_message_bytes = 2 << 20;
  // Retention: records that every group with an offset in their partition has committed, older
  // than this, are deleted while producing, but never the newest `keep_records` of a partition.
  Duration keep_for = std::chrono::hours(24 * 7);
  std::uint64_t keep_records = 10'000;
};

// Produce is one transaction for the call. After a crash of the process nothing acknowledged is
// gone; after a power cut the newest records and offsets may be. Belongs to one process at a time.
Result<std::unique_ptr<MessageBus>> OpenSqliteBus(Runtime& runtime, SqliteBusOptions options);

}  // namespace saffron
