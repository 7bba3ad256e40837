// Pieces of URLs: percent encoding (RFC 3986), query strings and "host:port".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace saffron {

// Encodes every byte that is not unreserved (A-Z a-z 0-9 - . _ ~), with upper-case digits.
std::string PercentEncode(std::string_view text);
// The same, but leaves '/' as it is: for object keys and other whole paths.
std::string PercentEncodePath(std::string_view path);
// Nothing when a '%' is not followed by two hexadecimal digits. '+' stays '+'.
std::optional<std::string> PercentDecode(std::string_view text);

// Names and values in the order received, duplicates included.
using QueryParams = std::vector<std::pair<std::string, std::string>>;

// Parses what stands after '?'. '+' is a space; "a" is the same as "a=". Nothing when malformed.
std::optional<QueryParams> ParseQuery(std::string_view query);

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
  // Writes an IPv6 host in brackets.
  std::string ToString() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// "127.0.0.1:8000", "[::1]:8000", "localhost:0". The port is required, the host is not empty.
Result<HostPort> ParseHostPort(std::string_view text);

}  // namespace saffron
