#include "adapters/memory/memory_object_store.h"

#include <gtest/gtest.h>

#include "testing/contract/object_store_contract.h"

namespace saffron {
namespace {

class MemoryHome final : public ObjectStoreHome {
 public:
  std::shared_ptr<ObjectStore> Open() override { return objects_; }

 private:
  std::shared_ptr<MemoryObjectStore> objects_ = std::make_shared<MemoryObjectStore>();
};

INSTANTIATE_OBJECT_STORE_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });

TEST(MemoryObjectStoreTest, CorruptFlipsOneBitAndTruncateCuts) {
  MemoryObjectStore store;
  ASSERT_TRUE(store.PutIfAbsent("a", "abc").ok());
  store.Corrupt("a", 8 + 1);
  EXPECT_EQ(store.Get("a")->bytes, "a`c");
  store.Corrupt("a", 8 + 1);
  EXPECT_EQ(store.Get("a")->bytes, "abc");
  store.Truncate("a", 2);
  EXPECT_EQ(store.Get("a")->bytes, "ab");
  EXPECT_TRUE(store.Contains("a"));
  EXPECT_FALSE(store.Contains("b"));
}

TEST(MemoryObjectStoreTest, RestoreBringsBackASnapshotAndEtagsStayUnique) {
  MemoryObjectStore store;
  auto first = store.PutIfAbsent("a", "1");
  auto snapshot = store.Snapshot();
  auto second = store.PutIfMatch("a", "2", *first);
  ASSERT_TRUE(store.PutIfAbsent("b", "x").ok());
  store.Restore(snapshot);
  EXPECT_EQ(store.Get("a")->bytes, "1");
  EXPECT_EQ(store.Get("a")->etag, *first);
  EXPECT_FALSE(store.Contains("b"));
  auto third = store.PutIfMatch("a", "3", *first);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(*third, *second);
}

}  // namespace
}  // namespace saffron
