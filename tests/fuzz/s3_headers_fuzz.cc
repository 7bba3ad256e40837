// Answers of S3 to what was asked. Input: "status offset length", a line for each header, an empty
// line, the body.
#include "adapters/s3/s3_headers.h"

#include <charconv>

#include "tests/fuzz/properties.h"
#include "tests/fuzz/requests.h"

namespace saffron::fuzz {
namespace {

std::uint64_t TakeNumber(std::string_view& line) {
  std::uint64_t number = 0;
  const std::size_t blank = std::min(line.find(' '), line.size());
  std::from_chars(line.data(), line.data() + blank, number);
  line.remove_prefix(std::min(blank + 1, line.size()));
  return number;
}

void CheckRange(const HttpResponse& response, std::uint64_t offset, std::uint64_t length) {
  const auto bytes = S3RangeOf(response, offset, length);
  if (!bytes.ok()) {
    Require(bytes.Is(Code::kCorrupt) || bytes.Is(Code::kUnavailable), "a refusal has its code");
    return;
  }
  Require(bytes->size() == length, "a range is all of what was asked for");
  const bool whole = response.status == 200;
  Require(*bytes == (whole ? response.body.substr(offset, length) : response.body),
          "it is the object's");
}

void CheckSize(const HttpResponse& response) {
  const auto size = S3SizeOf(response);
  if (!size.ok()) return Require(size.Is(Code::kUnavailable), "a refusal has its code");
  if (response.status == 200) return Require(*size == response.body.size(), "a whole object");
  HttpResponse again;
  again.status = 206;
  again.headers.Add("content-range", "bytes 0-0/" + std::to_string(*size));
  Require(S3SizeOf(again).ok() && *S3SizeOf(again) == *size, "a size comes back");
}

}  // namespace

void FuzzS3Headers(std::string_view bytes) {
  std::string_view line = TakeLine(bytes);
  HttpResponse response;
  response.status = static_cast<int>(TakeNumber(line) % 1000);
  const std::uint64_t offset = TakeNumber(line), length = TakeNumber(line);
  response.headers = TakeHeaders(bytes);
  response.body = bytes;
  CheckRange(response, offset, length);
  CheckSize(response);
  Require(S3RetryAfterSeconds(response) >= 0, "nobody waits backwards");
  const std::string etag = S3EtagOf(response);
  if (!IsS3Etag(etag)) return;
  HttpResponse again;
  again.headers.Add("ETag", "\"" + etag + "\"");
  Require(S3EtagOf(again) == etag, "an etag comes back, with quotes or without");
}

}  // namespace saffron::fuzz
