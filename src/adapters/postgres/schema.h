// The tables in the database: made, and brought from any older version to this one.
#pragma once

#include <string>

#include "adapters/postgres/connection.h"
#include "adapters/postgres/pool.h"
#include "base/log.h"
#include "base/result.h"

namespace saffron::postgres {

constexpr int kSchemaVersion = 1;

// One process at a time, by an advisory lock, in one transaction. Rows that other tools wrote stay.
// kInvalid: made by a newer version, or for another prefix; or the server is too old, or its
// database not in UTF-8. Warns when the server does not sync.
Status Migrate(Pool& pool, const std::string& handler_prefix, Log& log);

// A key of advisory locks of this schema: there are as many as names.
std::uint64_t LockKey(const std::string& schema, std::string_view name);

}  // namespace saffron::postgres
