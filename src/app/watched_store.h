// WatchedStore: an object store that remembers whether it takes writes, for the health of the
// process: a full disk can still be read, so a check that only reads would call it healthy.
//
// A decorator; thread-safe like the store it wraps. While writes succeed it costs nothing; after
// one has failed, Writable() tries one of the same size, so that it tells of the end of an outage
// even when nobody writes.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "ports/object_store.h"

namespace saffron {

class WatchedStore final : public ObjectStore {
 public:
  explicit WatchedStore(std::unique_ptr<ObjectStore> store) : store_(std::move(store)) {}

  // Why the last write failed; Ok when one like it succeeds.
  Status Writable();

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override;
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override;
  Status Put(std::string_view key, std::string_view bytes) override;
  Result<StoredObject> Get(std::string_view key) override { return store_->Get(key); }
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override {
    return store_->GetRange(key, offset_bytes, length_bytes);
  }
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override {
    return store_->List(prefix, after, limit);
  }
  Status Delete(std::string_view key) override { return store_->Delete(key); }
  std::string Describe() const override { return store_->Describe(); }

 private:
  template <class T>
  Result<T> Note(Result<T> written, std::size_t size_bytes);

  const std::unique_ptr<ObjectStore> store_;
  std::atomic<std::size_t> failed_bytes_{0};  // of the largest write that failed; 0: none has
};

}  // namespace saffron
