// HashedAggregates: a value for each aggregate of a log, with a bound on how many are held.
//
// When there are more, only those whose hash lies below a limit are kept, and the limit is lowered
// as needed: whoever fills it reads the log again for the rest (NextRange). Hashes are uniform, so
// a log of n times the bound is read about n times. The key itself is not kept. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "base/bytes.h"
#include "base/sha256.h"
#include "domain/names.h"

namespace saffron {

template <class Value>
class HashedAggregates {
 public:
  // What an aggregate costs beside its value: node, hash, bucket, allocator.
  static constexpr std::size_t kOverheadBytes = 56;

  explicit HashedAggregates(std::size_t max_aggregates)
      : max_aggregates_(std::max<std::size_t>(1, max_aggregates)) {}

  bool InRange(const AggregateKey& key) const { return InRange(HashOf(key)); }
  // The value of the aggregate and whether it was made by this call; null: not in the range.
  // Valid until the next call of anything but Find.
  std::pair<Value*, bool> Get(const AggregateKey& key) {
    const Hash hash = HashOf(key);
    if (!InRange(hash)) return {nullptr, false};
    auto [at, added] = values_.try_emplace(hash);
    return {&at->second, added};
  }
  Value* Find(const AggregateKey& key) {
    auto found = values_.find(HashOf(key));
    return found == values_.end() ? nullptr : &found->second;
  }
  template <class Take>
  void ForEach(Take take) const {
    for (const auto& [hash, value] : values_) take(value);
  }
  // Called after Get: halving the range drops about half of the values.
  void Shrink() {
    while (values_.size() > max_aggregates_ && to_ > from_) {
      to_ = from_ + (to_ - from_) / 2;
      std::erase_if(values_, [this](const auto& entry) { return !this->InRange(entry.first); });
    }
  }
  void Clear() { values_.clear(); }
  // Goes on to the aggregates that were left out. False: there are none.
  bool NextRange() {
    if (to_ == ~0ULL) return false;
    from_ = to_ + 1;
    to_ = ~0ULL;
    Clear();
    return true;
  }

 private:
  struct Hash {
    std::uint64_t high = 0, low = 0;
    friend bool operator==(const Hash&, const Hash&) = default;
  };
  struct HashHash {
    std::size_t operator()(const Hash& hash) const { return hash.low; }
  };

  static Hash HashOf(const AggregateKey& key) {
    std::string bytes;
    PutU8(bytes, static_cast<std::uint8_t>(key.type));
    bytes.append(key.id);
    const Sha256Digest digest = Sha256(bytes);
    Hash hash;
    for (std::size_t i = 0; i < 8; ++i) {
      hash.high = hash.high << 8 | digest[i];
      hash.low = hash.low << 8 | digest[8 + i];
    }
    return hash;
  }
  bool InRange(const Hash& hash) const { return from_ <= hash.high && hash.high <= to_; }

  const std::size_t max_aggregates_;
  std::uint64_t from_ = 0, to_ = ~0ULL;  // of Hash::high, both included
  std::unordered_map<Hash, Value, HashHash> values_;
};

}  // namespace saffron
