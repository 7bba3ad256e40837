// Latencies in buckets of at most 1.6 % width, at a fixed cost a value.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace saffron {

// After the idea of HdrHistogram: 64 buckets for every power of two. One thread.
class Histogram {
 public:
  void Record(std::uint64_t value) {
    ++buckets_[IndexOf(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  void Add(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The upper end of the bucket that holds the value at `share` (0 to 1); 0 when empty.
  std::uint64_t At(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > rank) return std::min(UpperEndOf(i), max_);
    }
    return max_;
  }

 private:
  static constexpr int kBits = 6;
  static constexpr std::size_t kPerPower = std::size_t{1} << kBits;

  static std::size_t IndexOf(std::uint64_t value) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBits - 1);
    return static_cast<std::size_t>(shift) * kPerPower + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t UpperEndOf(std::size_t index) {
    if (index < 2 * kPerPower) return index;
    const std::size_t shift = index / kPerPower - 1;
    return ((std::uint64_t{index} - shift * kPerPower + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kPerPower> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace saffron
