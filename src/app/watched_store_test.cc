#include "app/watched_store.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_object_store.h"

namespace saffron {
namespace {

// A store of so many bytes an object.
class SmallStore final : public ObjectStore {
 public:
  explicit SmallStore(const std::size_t& room_bytes) : room_bytes_(room_bytes) {}

  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    SAFFRON_TRY(Room(bytes));
    return inner_.PutIfAbsent(key, bytes);
  }
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override {
    SAFFRON_TRY(Room(bytes));
    return inner_.PutIfMatch(key, bytes, etag);
  }
  Status Put(std::string_view key, std::string_view bytes) override {
    SAFFRON_TRY(Room(bytes));
    return inner_.Put(key, bytes);
  }
  Result<StoredObject> Get(std::string_view key) override { return inner_.Get(key); }
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override {
    return inner_.GetRange(key, offset_bytes, length_bytes);
  }
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override {
    return inner_.List(prefix, after, limit);
  }
  Status Delete(std::string_view key) override { return inner_.Delete(key); }
  std::string Describe() const override { return inner_.Describe(); }

 private:
  Status Room(std::string_view bytes) const {
    return bytes.size() <= room_bytes_ ? Ok() : Unavailable("no space left on device");
  }

  const std::size_t& room_bytes_;
  MemoryObjectStore inner_;
};

TEST(WatchedStore, TellsOfAFullDiskUntilWhatFailedFits) {
  std::size_t room_bytes = 100;
  WatchedStore store(std::make_unique<SmallStore>(room_bytes));
  ASSERT_TRUE(store.PutIfAbsent("a", "small").ok());
  EXPECT_TRUE(store.Writable().ok());
  EXPECT_TRUE(store.PutIfAbsent("a", "again").Is(Code::kConflict));
  EXPECT_TRUE(store.Writable().ok()) << "a conflict is an answer, not an outage";

  EXPECT_TRUE(store.PutIfAbsent("b", std::string(500, 'x')).Is(Code::kUnavailable));
  ASSERT_TRUE(store.Put("c", "small").ok());
  Status full = store.Writable();
  ASSERT_TRUE(full.Is(Code::kUnavailable)) << "that small writes fit is no end of it";
  EXPECT_EQ(full.error().message(), "no space left on device");

  room_bytes = 500;
  EXPECT_TRUE(store.Writable().ok()) << "without a write of anybody else";
  EXPECT_TRUE(store.Get(".saffron/probe/space").Is(Code::kNotFound)) << "leaves nothing behind";
}

}  // namespace
}  // namespace saffron
