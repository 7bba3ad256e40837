// The tables in the database: made, and brought from any older version to this one.
#pragma once

#include <string>

#include "adapters/postgres/connection.h"
#include "adapters/postgres/pool.h"
#include "base/log.h"
#include "base/result.h"

namespace saffron::postgres {

constexpr int kSchemaVersion = 2;

// One process at a time, by an advisory lock, in one transaction. Rows that other tools wrote stay.
// kInvalid: made by a newer version, or for another prefix; or the server is too old, or its
// database not in UTF-8. Warns when the server does not sync.
Status Migrate(Pool& pool, const std::string& handler_prefix, Log& log);

// Version of the schema that is there, 0 when none is; and whether the connection is encrypted.
struct SchemaLook {
  std::uint32_t version = 0;
  std::string tls_version;  // "TLSv1.3"; empty: plain text
};
// Changes nothing.
Result<SchemaLook> LookAtSchema(Pool& pool);

// A key of advisory locks of this schema: there are as many as names.
std::uint64_t LockKey(const std::string& schema, std::string_view name);

}  // namespace saffron::postgres
