// The object store on S3, and on what speaks its protocol: MinIO, Ceph's radosgw.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/s3/s3_metrics.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "net/sigv4.h"
#include "ports/object_store.h"
#include "ports/when_missing.h"

namespace saffron {

class S3Requests;

enum class S3Addressing {
  kPath,     // http://host/bucket/key
  kVirtual,  // http://bucket.host/key
  kAuto,     // virtual for Amazon's own endpoints, where the bucket's name can be a host's
};

struct S3Limits {
  Duration connect_timeout = seconds(2);
  // Of one request, and of a call with all its repetitions; each has a second more for every MiB
  // that it sends or asks for.
  Duration attempt_timeout = seconds(3);
  Duration call_timeout = seconds(5);
  std::size_t max_connections = 32;
};

struct S3StoreOptions {
  std::string endpoint_url;  // "http://127.0.0.1:9000", without a path or a user
  std::string bucket;        // made, with versioning
  WhenMissing when_missing = WhenMissing::kMake;
  std::string region = "us-east-1";
  AwsCredentials credentials;
  S3Addressing addressing = S3Addressing::kPath;
  bool require_tls = false;  // an http endpoint is refused
  bool verify_ssl = true;
  std::string ca_file;  // empty: the system's
  S3Limits limits;
  S3Metrics* metrics = nullptr;  // outlives the store
};

// Conditions are If-None-Match and If-Match, so the commit of a slot is one request. Every request
// carries the SHA-256 of its body, signed, and the server compares it. A put keeps its CRC-32C
// beside the object, and Get compares what it reads with it, where the server returns one.
//
// What is repeated inside a call, and what never: a put-if-absent is repeated after an unknown
// outcome, for it can win only once; if it is then refused, the answer is kConflict, "it may be
// ours". A put-if-match that is refused after an unknown outcome answers kUnknownOutcome. A plain
// put is repeated only when nothing of it can still be on its way.
//
// Owned by the process's wiring. Any thread may call it; a call waits for one of the connections.
// It keeps no state of its own: a crash of the process loses nothing.
class S3Store final : public ObjectStore {
 public:
  // kInvalid: options that cannot work, credentials or permissions that the server refuses, a
  // bucket that is somebody else's. kUnavailable: the server does not answer, or not yet.
  // kNotFound: there is no such bucket, and none was to be made.
  static Result<std::unique_ptr<S3Store>> Open(S3StoreOptions options, Runtime& runtime, Log& log);

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override;
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override;
  Status Put(std::string_view key, std::string_view bytes) override;
  Result<StoredObject> Get(std::string_view key) override;
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override;
  Status Delete(std::string_view key) override;
  std::string Describe() const override { return description_; }
  ~S3Store() override;

 private:
  S3Store(std::unique_ptr<S3Requests> requests, std::string description);
  Result<std::uint64_t> SizeOf(std::string_view key);

  const std::unique_ptr<S3Requests> requests_;
  const std::string description_;  // "S3 bucket spice-event-store at http://127.0.0.1:9000"
};

}  // namespace saffron
