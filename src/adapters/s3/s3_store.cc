#include "adapters/s3/s3_store.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "adapters/s3/s3_headers.h"
#include "adapters/s3/s3_requests.h"
#include "base/crc32c.h"
#include "net/url.h"
#include "ports/object_key.h"

namespace saffron {
namespace {

constexpr char kChecksumHeader[] = "x-amz-meta-saffron-crc32c";
constexpr std::size_t kMostKeysAPage = 1000;            // what S3 gives at most
constexpr std::uint64_t kMostObjectBytes = 5ull << 40;  // what S3 takes at most
constexpr int kReadsOfACorruptObject = 2;  // the first may have been damaged on the way

std::string ChecksumOf(std::string_view bytes) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", Crc32c(bytes));
  return text;
}

S3Request PutRequest(std::string_view key, std::string_view bytes) {
  S3Request request;
  request.method = "PUT";
  request.key = key;
  request.headers.Add("Content-Type", "application/octet-stream");
  request.headers.Add(kChecksumHeader, ChecksumOf(bytes));
  request.body = bytes;
  return request;
}

S3Request RangeRequest(std::string_view key, std::uint64_t first, std::uint64_t last) {
  S3Request request;
  request.key = key;
  request.headers.Add("Range", "bytes=" + std::to_string(first) + "-" + std::to_string(last));
  request.expected_bytes = last - first + 1;
  return request;
}

Result<std::string> Written(const S3Answer& answer, std::string_view key) {
  std::string etag = S3EtagOf(answer.response);
  if (!IsS3Etag(etag)) {
    return UnknownOutcome("put " + std::string(key) + ": the object store gave no usable ETag");
  }
  return etag;
}

Error Missing(std::string_view key) { return NotFound("no object " + std::string(key)); }
Error TooShort(std::string_view key) {
  return Corrupt("object " + std::string(key) + " is shorter than asked for");
}

}  // namespace

S3Store::S3Store(std::unique_ptr<S3Requests> requests, std::string description)
    : requests_(std::move(requests)), description_(std::move(description)) {}

S3Store::~S3Store() = default;

Result<std::string> S3Store::PutIfAbsent(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  S3Request request = PutRequest(key, bytes);
  request.headers.Add("If-None-Match", "*");
  SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
  if (answer.ok()) return Written(answer, key);
  if (answer.response.status == 412) {
    return Conflict("object " + std::string(key) + " is there already");
  }
  return requests_->Refusal(answer, "put " + std::string(key));
}

Result<std::string> S3Store::PutIfMatch(std::string_view key, std::string_view bytes,
                                        std::string_view etag) {
  SAFFRON_TRY(CheckObjectKey(key));
  const Error other = Conflict("object " + std::string(key) + " has another etag");
  if (!IsS3Etag(etag)) {
    SAFFRON_TRY(SizeOf(key));
    return other;
  }
  S3Request request = PutRequest(key, bytes);
  request.headers.Add("If-Match", etag);
  SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
  if (answer.ok()) return Written(answer, key);
  if (answer.Is(404, "NoSuchKey")) return Missing(key);
  if (answer.response.status != 412) return requests_->Refusal(answer, "put " + std::string(key));
  if (answer.after_unknown) {
    return UnknownOutcome("object " + std::string(key) +
                          " has another etag, after an attempt to swap it had no answer");
  }
  SAFFRON_TRY(SizeOf(key));  // some servers refuse an absent one alike
  return other;
}

Status S3Store::Put(std::string_view key, std::string_view bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  S3Request request = PutRequest(key, bytes);
  request.repeat = S3Request::Repeat::kUnlessUnknown;
  SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
  if (!answer.ok()) return requests_->Refusal(answer, "put " + std::string(key));
  return Ok();
}

Result<StoredObject> S3Store::Get(std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  for (int reads = 1;; ++reads) {
    S3Request request;
    request.key = key;
    SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
    if (answer.Is(404, "NoSuchKey")) return Missing(key);
    if (!answer.ok()) return requests_->Refusal(answer, "get " + std::string(key));
    HttpResponse& response = answer.response;
    const auto checksum = response.headers.Find(kChecksumHeader);
    if (!checksum || *checksum == ChecksumOf(response.body)) {
      return StoredObject{std::move(response.body), S3EtagOf(response)};
    }
    if (requests_->metrics() != nullptr) requests_->metrics()->ReadCorrupt();
    if (reads == kReadsOfACorruptObject) {
      return Corrupt("object " + std::string(key) + " does not have the checksum of its put");
    }
  }
}

// By the one byte that tells it, for HEAD answers have no body that says which 404 it is.
Result<std::uint64_t> S3Store::SizeOf(std::string_view key) {
  SAFFRON_ASSIGN(S3Answer answer, requests_->Call(RangeRequest(key, 0, 0)));
  if (answer.Is(404, "NoSuchKey")) return Missing(key);
  if (answer.response.status == 416) return std::uint64_t{0};
  if (!answer.ok()) return requests_->Refusal(answer, "get " + std::string(key));
  Result<std::uint64_t> size_bytes = S3SizeOf(answer.response);
  if (!size_bytes.ok()) return size_bytes.error().Within("get " + std::string(key));
  return size_bytes;
}

Result<std::string> S3Store::GetRange(std::string_view key, std::uint64_t offset_bytes,
                                      std::uint64_t length_bytes) {
  SAFFRON_TRY(CheckObjectKey(key));
  if (offset_bytes > kMostObjectBytes || length_bytes > kMostObjectBytes || length_bytes == 0) {
    // What no range can say.
    SAFFRON_ASSIGN(const std::uint64_t size_bytes, SizeOf(key));
    if (offset_bytes > size_bytes || length_bytes > size_bytes - offset_bytes) return TooShort(key);
    return std::string();
  }
  SAFFRON_ASSIGN(S3Answer answer,
                 requests_->Call(RangeRequest(key, offset_bytes, offset_bytes + length_bytes - 1)));
  if (answer.Is(404, "NoSuchKey")) return Missing(key);
  if (answer.response.status == 416) return TooShort(key);
  if (!answer.ok()) return requests_->Refusal(answer, "get " + std::string(key));
  Result<std::string> bytes = S3RangeOf(std::move(answer.response), offset_bytes, length_bytes);
  if (!bytes.ok()) return bytes.error().Within("get " + std::string(key));
  return bytes;
}

Result<std::vector<std::string>> S3Store::List(std::string_view prefix, std::string_view after,
                                               std::size_t limit) {
  SAFFRON_TRY(CheckObjectPrefix(prefix));
  std::vector<std::string> keys;
  std::string last(after);
  while (keys.size() < limit) {
    S3Request request;
    request.query = "encoding-type=url&list-type=2&max-keys=" +
                    std::to_string(std::min(limit - keys.size(), kMostKeysAPage)) +
                    "&prefix=" + PercentEncode(prefix) + "&start-after=" + PercentEncode(last);
    SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
    if (!answer.ok()) return requests_->Refusal(answer, "list " + std::string(prefix));
    Result<S3Listing> listing = ParseS3Listing(answer.response.body);
    if (!listing.ok()) return Unavailable(listing.error().message());
    for (std::string& key : listing->keys) {
      if (key <= last || !key.starts_with(prefix)) {
        return Unavailable("the object store lists keys out of order");
      }
      last = key;
      if (keys.size() < limit) keys.push_back(std::move(key));
    }
    if (!listing->truncated) break;
    if (listing->keys.empty()) return Unavailable("the object store lists nothing and says more");
  }
  return keys;
}

Status S3Store::Delete(std::string_view key) {
  SAFFRON_TRY(CheckObjectKey(key));
  S3Request request;
  request.method = "DELETE";
  request.key = key;
  request.repeat = S3Request::Repeat::kUnlessUnknown;
  SAFFRON_ASSIGN(S3Answer answer, requests_->Call(std::move(request)));
  if (answer.ok() || answer.Is(404, "NoSuchKey")) return Ok();
  return requests_->Refusal(answer, "delete " + std::string(key));
}

}  // namespace saffron
