#include "testing/contract/object_store_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "testing/servers/need_server.h"

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool LinkObjectStoreContract() { return true; }

void ObjectStoreContract::SetUp() {
  home_ = GetParam()();
  if (home_ == nullptr) SAFFRON_NO_SERVER("of this engine");
  store_ = home_->Open();
}

void ObjectStoreContract::Reopen() {
  store_.reset();
  store_ = home_->Open();
}

namespace {

std::string SlotKey(std::uint64_t slot) {
  char key[64];
  std::snprintf(key, sizeof key, "events/000/%020llu.jsonl", static_cast<unsigned long long>(slot));
  return key;
}

std::vector<std::string> Keys(ObjectStore& store, std::string_view prefix,
                              std::string_view after = "", std::size_t limit = 1000) {
  auto keys = store.List(prefix, after, limit);
  EXPECT_TRUE(keys.ok()) << keys.error().ToString();
  return keys.ok() ? *keys : std::vector<std::string>();
}

std::string BytesOf(ObjectStore& store, std::string_view key) {
  auto object = store.Get(key);
  EXPECT_TRUE(object.ok()) << object.error().ToString();
  return object.ok() ? object->bytes : "(absent)";
}

}  // namespace

TEST_P(ObjectStoreContract, PutIfAbsentWritesOnce) {
  auto etag = store_->PutIfAbsent("a/b.json", "first");
  ASSERT_TRUE(etag.ok()) << etag.error().ToString();
  EXPECT_TRUE(store_->PutIfAbsent("a/b.json", "second").Is(Code::kConflict));
  EXPECT_TRUE(store_->PutIfAbsent("a/b.json", "first").Is(Code::kConflict));
  auto object = store_->Get("a/b.json");
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->bytes, "first");
  EXPECT_EQ(object->etag, *etag);
}

TEST_P(ObjectStoreContract, PutIfAbsentRacesHaveOneWinnerThatEveryLoserReads) {
  constexpr int kThreads = 8;
  constexpr int kKeys = 30;
  std::atomic<int> wins{0};
  std::atomic<int> disagreements{0};
  std::vector<std::vector<std::string>> seen(kThreads, std::vector<std::string>(kKeys));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int k = 0; k < kKeys; ++k) {
        const std::string mine(4000, static_cast<char>('a' + t));
        auto put = store_->PutIfAbsent(SlotKey(static_cast<std::uint64_t>(k) + 9'990), mine);
        if (put.ok()) ++wins;
        if (!put.ok() && put.code() != Code::kConflict) ++disagreements;
        auto object = store_->Get(SlotKey(static_cast<std::uint64_t>(k) + 9'990));
        seen[t][k] = object.ok() ? object->bytes : "absent";
        if (put.ok() && seen[t][k] != mine) ++disagreements;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wins, kKeys);
  EXPECT_EQ(disagreements, 0);
  for (int k = 0; k < kKeys; ++k) {
    for (int t = 0; t < kThreads; ++t) EXPECT_EQ(seen[t][k], seen[0][k]);
    EXPECT_EQ(seen[0][k], std::string(4000, seen[0][k][0]));
  }
}

TEST_P(ObjectStoreContract, PutIfMatchComparesTheEtag) {
  EXPECT_TRUE(store_->PutIfMatch("checkpoint", "x", "any").Is(Code::kNotFound));
  auto first = store_->PutIfAbsent("checkpoint", "1");
  ASSERT_TRUE(first.ok());
  auto second = store_->PutIfMatch("checkpoint", "2", *first);
  ASSERT_TRUE(second.ok()) << second.error().ToString();
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(store_->PutIfMatch("checkpoint", "3", *first).Is(Code::kConflict));
  auto object = store_->Get("checkpoint");
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->bytes, "2");
  EXPECT_EQ(object->etag, *second);
  EXPECT_TRUE(store_->PutIfMatch("checkpoint", "3", "").Is(Code::kConflict));
}

TEST_P(ObjectStoreContract, EtagChangesWheneverTheBytesDo) {
  std::set<std::string> etags;
  auto etag = store_->PutIfAbsent("changed", "bytes");
  ASSERT_TRUE(etag.ok());
  etags.insert(*etag);
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = "bytes " + std::to_string(i);
    if (i % 2 == 0) {
      etag = store_->PutIfMatch("changed", bytes, *etag);
      ASSERT_TRUE(etag.ok()) << etag.error().ToString();
      etags.insert(*etag);
    } else {
      ASSERT_TRUE(store_->Put("changed", bytes).ok());
      auto object = store_->Get("changed");
      ASSERT_TRUE(object.ok());
      etag = object->etag;
      etags.insert(object->etag);
    }
  }
  EXPECT_EQ(etags.size(), 21u);
}

// Each swap adds a letter of its own, so that whoever is told of an unknown outcome can look.
TEST_P(ObjectStoreContract, SwapsLoseNoUpdate) {
  ASSERT_TRUE(store_->PutIfAbsent("letters", "").ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int done = 0; done < 10;) {
        const char mine = static_cast<char>('A' + t * 10 + done);
        auto object = store_->Get("letters");
        ASSERT_TRUE(object.ok()) << object.error().ToString();
        if (object->bytes.find(mine) != std::string::npos) {
          ++done;
          continue;
        }
        auto put = store_->PutIfMatch("letters", object->bytes + mine, object->etag);
        if (put.ok()) ++done;
        ASSERT_TRUE(put.ok() || put.Is(Code::kConflict) || put.Is(Code::kUnknownOutcome))
            << put.error().ToString();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::string letters = BytesOf(*store_, "letters");
  std::sort(letters.begin(), letters.end());
  std::string expected;
  for (char c = 'A'; c < 'A' + 40; ++c) expected.push_back(c);
  EXPECT_EQ(letters, expected);
}

TEST_P(ObjectStoreContract, PutReplacesAndReadersSeeWholeObjects) {
  ASSERT_TRUE(store_->Put("derived/x", std::string(50'000, 'a')).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::atomic<int> reads{0};
  std::thread reader([&] {
    while (!stop || reads == 0) {
      auto object = store_->Get("derived/x");
      if (!object.ok() || object->bytes != std::string(50'000, object->bytes[0])) ++torn;
      ++reads;
    }
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(
        store_->Put("derived/x", std::string(50'000, static_cast<char>('a' + i % 26))).ok());
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(BytesOf(*store_, "derived/x"), std::string(50'000, static_cast<char>('a' + 49 % 26)));
}

TEST_P(ObjectStoreContract, BytesComeBackAsTheyWere) {
  std::string all_bytes;
  for (int i = 0; i < 1024; ++i) all_bytes.push_back(static_cast<char>(i));
  ASSERT_TRUE(store_->PutIfAbsent("binary", all_bytes).ok());
  ASSERT_TRUE(store_->PutIfAbsent("empty", "").ok());
  EXPECT_EQ(BytesOf(*store_, "binary"), all_bytes);
  EXPECT_EQ(BytesOf(*store_, "empty"), "");
  EXPECT_TRUE(store_->Get("absent").Is(Code::kNotFound));
  EXPECT_TRUE(store_->Get("absent/deep/key").Is(Code::kNotFound));
}

TEST_P(ObjectStoreContract, LargeObjects) {
  std::string large(16 << 20, '\0');
  RandomBits random(7);
  for (std::size_t i = 0; i < large.size(); i += 64) large[i] = static_cast<char>(random.Next());
  ASSERT_TRUE(store_->PutIfAbsent("large", large).ok());
  EXPECT_TRUE(BytesOf(*store_, "large") == large);
  auto range = store_->GetRange("large", large.size() - 100, 100);
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(*range, large.substr(large.size() - 100));
}

TEST_P(ObjectStoreContract, RangesAreExact) {
  ASSERT_TRUE(store_->PutIfAbsent("ranged", "0123456789").ok());
  EXPECT_EQ(store_->GetRange("ranged", 3, 4).value(), "3456");
  EXPECT_EQ(store_->GetRange("ranged", 0, 10).value(), "0123456789");
  EXPECT_EQ(store_->GetRange("ranged", 9, 1).value(), "9");
  EXPECT_EQ(store_->GetRange("ranged", 4, 0).value(), "");
  EXPECT_TRUE(store_->GetRange("ranged", 9, 2).Is(Code::kCorrupt));
  EXPECT_TRUE(store_->GetRange("ranged", 20, 1).Is(Code::kCorrupt));
  EXPECT_TRUE(store_->GetRange("ranged", ~0ull, 2).Is(Code::kCorrupt));
  EXPECT_TRUE(store_->GetRange("absent", 0, 1).Is(Code::kNotFound));
}

TEST_P(ObjectStoreContract, ListsInByteOrder) {
  for (std::uint64_t slot : {10'000u, 9'999u, 1u, 2u, 123'456'789u}) {
    ASSERT_TRUE(store_->PutIfAbsent(SlotKey(slot), "x").ok());
  }
  for (const char* key : {"events/format.json", "events-old", "a", "Z", "events/000/0",
                          "events/001/a", "checkpoints/p.json"}) {
    ASSERT_TRUE(store_->PutIfAbsent(key, "x").ok());
  }
  EXPECT_THAT(Keys(*store_, ""),
              ElementsAre("Z", "a", "checkpoints/p.json", "events-old", "events/000/0", SlotKey(1),
                          SlotKey(2), SlotKey(9'999), SlotKey(10'000), SlotKey(123'456'789),
                          "events/001/a", "events/format.json"));
  EXPECT_THAT(Keys(*store_, "events/000/", SlotKey(2), 2),
              ElementsAre(SlotKey(9'999), SlotKey(10'000)));
  EXPECT_THAT(Keys(*store_, "events/000/", "events/000/00000000000000009999"),
              ElementsAre(SlotKey(9'999), SlotKey(10'000), SlotKey(123'456'789)));
  EXPECT_THAT(Keys(*store_, "events/000/0000000000000000000"), ElementsAre(SlotKey(1), SlotKey(2)));
  EXPECT_THAT(Keys(*store_, "events"), testing::SizeIs(9));
  EXPECT_THAT(Keys(*store_, "events/000/", SlotKey(123'456'789)), IsEmpty());
  EXPECT_THAT(Keys(*store_, "events/002/"), IsEmpty());
  EXPECT_THAT(Keys(*store_, "", "", 0), IsEmpty());
  EXPECT_THAT(Keys(*store_, "a", "zzz"), IsEmpty());
}

// Against an ordered set, with prefixes and starting points cut from the keys themselves.
TEST_P(ObjectStoreContract, ListsLikeAnOrderedSet) {
  RandomBits random(42);
  std::set<std::string> model;
  std::vector<std::string> pieces = {"a", "b-", "00", "events/", "x.y"};
  for (int i = 0; i < 120; ++i) {
    std::string key = "k" + std::to_string(random.Below(4)) + "/";
    if (random.Below(2) == 0) {
      key = SlotKey(random.Below(50) * 3'000);
      if (random.Below(3) == 0) key += ".more";
    } else {
      for (std::uint32_t n = 1 + random.Below(4); n > 0; --n) key += pieces[random.Below(5)];
      key += "end" + std::to_string(i);
    }
    auto put = store_->PutIfAbsent(key, "x");
    ASSERT_EQ(put.ok(), model.insert(key).second) << key;
  }
  std::vector<std::string> keys(model.begin(), model.end());
  auto cut = [&] {
    const std::string& key = keys[random.Below(static_cast<std::uint32_t>(keys.size()))];
    return key.substr(0, random.Below(static_cast<std::uint32_t>(key.size() + 1)));
  };
  for (int i = 0; i < 300; ++i) {
    const std::string prefix = random.Below(3) == 0 ? "" : cut();
    const std::string after = random.Below(3) == 0 ? "" : cut();
    const std::size_t limit = random.Below(20);
    std::vector<std::string> expected;
    for (auto at = model.upper_bound(after); at != model.end() && expected.size() < limit; ++at) {
      if (at->starts_with(prefix) && *at > after) expected.push_back(*at);
    }
    EXPECT_EQ(Keys(*store_, prefix, after, limit), expected) << prefix << " after " << after;
  }
}

TEST_P(ObjectStoreContract, OddKeysAreRefused) {
  for (std::string key :
       {std::string(""), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string(".."), std::string("../a"), std::string("a/../b"), std::string("a/.."),
        std::string("."), std::string("a/./b"), std::string("a b"), std::string("a\0b", 3),
        std::string("~lock"), std::string("+0000000000000001/x"), std::string("\xc3\xa9"),
        std::string("a\n"), std::string("a\\b"), std::string(513, 'a'), std::string(300, 'a')}) {
    EXPECT_TRUE(store_->PutIfAbsent(key, "x").Is(Code::kInvalid)) << key;
    EXPECT_TRUE(store_->PutIfMatch(key, "x", "e").Is(Code::kInvalid)) << key;
    EXPECT_TRUE(store_->Put(key, "x").Is(Code::kInvalid)) << key;
    EXPECT_TRUE(store_->Get(key).Is(Code::kInvalid)) << key;
    EXPECT_TRUE(store_->GetRange(key, 0, 1).Is(Code::kInvalid)) << key;
    EXPECT_TRUE(store_->Delete(key).Is(Code::kInvalid)) << key;
  }
  EXPECT_TRUE(store_->List("../", "", 10).Is(Code::kInvalid));
  EXPECT_THAT(Keys(*store_, ""), IsEmpty());
  // Unusual, and allowed.
  for (const char* key : {"..a", ".saffron/probe/x", "-", "_/a..b", "A/a"}) {
    EXPECT_TRUE(store_->PutIfAbsent(key, key).ok()) << key;
    EXPECT_EQ(BytesOf(*store_, key), key);
  }
}

TEST_P(ObjectStoreContract, DeleteMakesRoom) {
  EXPECT_TRUE(store_->Delete("probe").ok());
  EXPECT_TRUE(store_->Delete("no/such/folder").ok());
  ASSERT_TRUE(store_->PutIfAbsent("probe", "1").ok());
  EXPECT_TRUE(store_->Delete("probe").ok());
  EXPECT_TRUE(store_->Get("probe").Is(Code::kNotFound));
  EXPECT_THAT(Keys(*store_, ""), IsEmpty());
  EXPECT_TRUE(store_->PutIfAbsent("probe", "2").ok());
  EXPECT_EQ(BytesOf(*store_, "probe"), "2");
}

TEST_P(ObjectStoreContract, EverythingIsThereWhenOpenedAgain) {
  auto etag = store_->PutIfAbsent("checkpoint", "1");
  ASSERT_TRUE(etag.ok());
  for (std::uint64_t slot = 9'995; slot < 10'005; ++slot) {
    ASSERT_TRUE(store_->PutIfAbsent(SlotKey(slot), std::to_string(slot)).ok());
  }
  Reopen();
  EXPECT_THAT(Keys(*store_, "events/"), testing::SizeIs(10));
  EXPECT_EQ(BytesOf(*store_, SlotKey(10'000)), "10000");
  EXPECT_TRUE(store_->PutIfAbsent(SlotKey(9'999), "other").Is(Code::kConflict));
  EXPECT_TRUE(store_->PutIfMatch("checkpoint", "2", *etag).ok());
}

TEST_P(ObjectStoreContract, DescribesItself) { EXPECT_FALSE(store_->Describe().empty()); }

}  // namespace saffron
