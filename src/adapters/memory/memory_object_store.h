// The object store of tests and of the seeded simulation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ports/object_store.h"

namespace saffron {

// Objects in a map. Owned by a test; any thread may call it, nothing in it waits. It outlives a
// simulated crash of the process that used it (what was put stays); a power cut is Restore.
class MemoryObjectStore final : public ObjectStore {
 public:
  struct Object {
    std::shared_ptr<const std::string> bytes;
    std::string etag;
  };
  // A frozen state. Cheap: bytes are shared.
  using Contents = std::map<std::string, Object, std::less<>>;

  MemoryObjectStore() = default;

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
  std::string Describe() const override { return "memory"; }

  // For tests. The object must exist and be long enough.
  void Corrupt(std::string_view key, std::uint64_t bit);  // flips it; the etag stays
  void Truncate(std::string_view key, std::size_t size_bytes);
  bool Contains(std::string_view key) const;
  // The last one that starts with the prefix; empty: none does.
  std::string LastKey(std::string_view prefix) const;
  Contents Snapshot() const;
  void Restore(Contents contents);  // etags given later are new all the same

 private:
  std::string Store(std::string_view key, std::string_view bytes);  // under mutex_

  mutable std::mutex mutex_;
  Contents objects_;
  std::uint64_t writes_ = 0;
};

}  // namespace saffron
