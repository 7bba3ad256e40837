// What the headers of S3's answers say. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace saffron {

// Without the quotes, which not every server takes back in a condition; empty: none.
std::string S3EtagOf(const HttpResponse& response);
// Others ("*", lists, an empty one) would be another condition than "this etag".
bool IsS3Etag(std::string_view etag);

// 0: it does not say.
std::int32_t S3RetryAfterSeconds(const HttpResponse& response);

// Of an answer to a range: the size of the whole object. kUnavailable: it does not say.
Result<std::uint64_t> S3SizeOf(const HttpResponse& response);
// Of an answer to a range, or the whole object instead: exactly those bytes. kCorrupt: the object
// ends before; kUnavailable: another range.
Result<std::string> S3RangeOf(HttpResponse response, std::uint64_t offset_bytes,
                              std::uint64_t length_bytes);

}  // namespace saffron
