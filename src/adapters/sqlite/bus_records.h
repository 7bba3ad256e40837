// The bytes of one record of the embedded bus.
#pragma once

#include <string>
#include <string_view>

#include "ports/message_bus.h"

namespace saffron::bus_records {

// Replaces `out`: key, value, number of headers, their names and values, each with its length
// before it; CRC-32C of all that. A worker decides what it finds in a record, and its outcome is
// for ever: SQLite does not check its pages.
void Encode(const BusMessage& message, std::string& out);
// Sets key, value and headers. False: damaged; then they are unspecified.
bool Decode(std::string_view stored, BusRecord& record);

}  // namespace saffron::bus_records
