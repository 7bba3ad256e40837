// ObjectStore: named immutable or swapped blobs, the home of the log. Thread-safe.
//
// Contract (testing/contract/object_store_contract.h):
//   - An object is visible whole or not at all, and once a put has answered, to every reader.
//   - Put-if-absent has exactly one winner, for ever; what it answered is durable.
//   - kUnknownOutcome: the write may have happened, or may still happen at any later time.
//   - kUnavailable: this call has written nothing and never will.
//   - Keys are '/'-separated, at most 512 bytes of [A-Za-z0-9._/-]; listings are in byte order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace saffron {

struct StoredObject {
  std::string bytes;
  std::string etag;  // opaque; that of other bytes is another, that of the same may be the same
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Durable. The etag, or kConflict: an object is there already (it may be ours: read it back).
  virtual Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) = 0;
  // Durable. kConflict: another etag; kNotFound: no object.
  virtual Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                         std::string_view etag) = 0;
  // Durable; the last writer wins. For derived objects that can be made again.
  virtual Status Put(std::string_view key, std::string_view bytes) = 0;
  // kNotFound when absent. Never hands out what a power cut could still take back.
  virtual Result<StoredObject> Get(std::string_view key) = 0;
  // Exactly [offset, offset + length); kCorrupt when the object is shorter.
  virtual Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                                       std::uint64_t length_bytes) = 0;
  // Keys with the prefix, above `after` ("" for all), in order, at most `limit`.
  virtual Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                                std::size_t limit) = 0;
  // Only for probes and tests; absent is fine. Nothing of the log is ever deleted.
  virtual Status Delete(std::string_view key) = 0;
  // "directory /var/lib/saffron/objects": for the startup line and errors.
  virtual std::string Describe() const = 0;
};

}  // namespace saffron
