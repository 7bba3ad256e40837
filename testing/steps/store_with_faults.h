// An object store that answers a real process as a bad day of S3 would: a decorator of test builds.
//
// Owned by the store's owner; thread-safe. Writes that were told "unknown" may still be under way;
// the destructor waits for them, a killed process loses them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"
#include "ports/object_store.h"

namespace saffron {

struct StoreFaults {
  std::uint64_t seed = 1;
  std::uint32_t per_mille = 0;  // of the calls
  bool ignores_conditions = false;
  // Paths. While one is there, of all writes the answers are lost, or all writes are refused.
  std::string silent_while, refuses_while;

  // "SEED:PER_MILLE", "ignores-conditions", "silent-while:PATH", or "refuses-while:PATH".
  static Result<StoreFaults> Parse(const std::string& text);
};

class StoreWithFaults final : public ObjectStore {
 public:
  StoreWithFaults(std::unique_ptr<ObjectStore> store, const StoreFaults& faults)
      : store_(std::move(store)), faults_(faults), random_(faults.seed) {}
  ~StoreWithFaults() override;

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override;
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override;
  Status Put(std::string_view key, std::string_view bytes) override;
  Result<StoredObject> Get(std::string_view key) override;
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override;
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override;
  Status Delete(std::string_view key) override { return store_->Delete(key); }
  std::string Describe() const override { return store_->Describe() + " (with faults)"; }

 private:
  // The first kReadFaults may befall a read, all of them a write.
  enum class Fault { kRefused, kSlow, kConflict, kLostAnswer, kLate, kNone };
  static constexpr std::uint32_t kReadFaults = 2, kFaults = 5;
  static constexpr std::array<const char*, kFaults> kNames = {"refused", "slow", "conflict",
                                                              "lost-answer", "late"};

  Fault Draw(std::uint32_t kinds);
  std::uint32_t Below(std::uint32_t bound);
  void Delay();
  template <class Answer>
  Answer Write(std::function<Answer()> write);
  template <class Answer, class Call>
  Answer Read(const Call& read);

  const std::unique_ptr<ObjectStore> store_;
  const StoreFaults faults_;
  std::mutex mutex_;  // of what follows
  RandomBits random_;
  std::array<int, kFaults> drawn_{};
  std::vector<std::thread> late_;  // bounded by the calls that a test makes
};

}  // namespace saffron
