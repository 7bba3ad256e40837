#include "adapters/s3/s3_headers.h"

#include <algorithm>
#include <charconv>

namespace saffron {
namespace {

// The whole text is one number.
bool ParseWhole(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string S3EtagOf(const HttpResponse& response) {
  std::string_view etag = response.headers.Find("ETag").value_or("");
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

bool IsS3Etag(std::string_view etag) {
  return !etag.empty() && std::all_of(etag.begin(), etag.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::int32_t S3RetryAfterSeconds(const HttpResponse& response) {
  const std::string_view text = response.headers.Find("Retry-After").value_or("");
  std::int32_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::max(seconds, 0);
}

Result<std::uint64_t> S3SizeOf(const HttpResponse& response) {
  if (response.status == 200) return std::uint64_t{response.body.size()};
  const std::string_view range = response.headers.Find("Content-Range").value_or("");
  const std::size_t slash = range.find('/');
  std::uint64_t size_bytes = 0;
  if (slash == std::string_view::npos || !ParseWhole(range.substr(slash + 1), size_bytes)) {
    return Unavailable("the object store does not say its size");
  }
  return size_bytes;
}

Result<std::string> S3RangeOf(HttpResponse response, std::uint64_t offset_bytes,
                              std::uint64_t length_bytes) {
  std::string& body = response.body;
  const Error too_short = Corrupt("it is shorter than asked for");
  if (response.status == 200) {  // the whole object
    if (offset_bytes > body.size()) return too_short;
    body = body.substr(offset_bytes, length_bytes);
  }
  if (body.size() < length_bytes) return too_short;
  const std::string expected = "bytes " + std::to_string(offset_bytes) + "-";
  const auto range = response.headers.Find("Content-Range");
  const bool other = response.status != 200 && range && !range->starts_with(expected);
  if (body.size() > length_bytes || other) {
    return Unavailable("the object store sent another range");
  }
  return std::move(body);
}

}  // namespace saffron
