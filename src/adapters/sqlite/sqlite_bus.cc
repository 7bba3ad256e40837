#include "adapters/sqlite/sqlite_bus.h"

#include <utility>

#include "adapters/sqlite/sqlite_partition_log.h"

namespace saffron {

Result<std::unique_ptr<MessageBus>> OpenSqliteBus(Runtime& runtime, SqliteBusOptions options) {
  InProcessBus::Options bus_options;
  bus_options.session_timeout = options.session_timeout;
  bus_options.max_message_bytes = options.max_message_bytes;
  SAFFRON_ASSIGN(auto log, SqlitePartitionLog::Open(runtime, std::move(options)));
  return std::unique_ptr<MessageBus>(
      std::make_unique<InProcessBus>(runtime, std::move(log), bus_options));
}

}  // namespace saffron
