// numpy's legacy generator, draw for draw: numpy.random.RandomState with its shuffle. Orders that other
// programs made with it can only be made again with it.
//
// The Mersenne Twister MT19937 (Matsumoto and Nishimura, ACM TOMACS 8, 1998).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace galley::data {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed);                   // RandomState(seed), 0 <= seed < 2^32
  explicit NumpyRandom(std::span<const uint32_t> seed);  // RandomState([...]), at least one number

  uint32_t Next32() {
    if (next_ == kWords) Refill();
    uint32_t y = state_[next_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >> 18);
  }

  // Uniform in [0, max]: draws under the smallest mask of ones that holds `max`, until one is not above it.
  // A max of 0 draws nothing.
  uint64_t Interval(uint64_t max);

  // numpy's shuffle of an array of one dimension, whatever its item type.
  template <class T>
  void Shuffle(std::span<T> items) {
    // The draws do not depend on the items: made ahead, they let the memory fetch many items at once.
    std::array<uint64_t, kAhead> swaps;
    for (uint64_t last = items.empty() ? 0 : items.size() - 1; last > 0;) {
      const uint64_t count = std::min<uint64_t>(kAhead, last);
      for (uint64_t i = 0; i < count; ++i) {
        swaps[i] = Interval(last - i);
        __builtin_prefetch(&items[swaps[i]], 1);
      }
      for (uint64_t i = 0; i < count; ++i) std::swap(items[last - i], items[swaps[i]]);
      last -= count;
    }
  }

 private:
  static constexpr size_t kWords = 624;
  static constexpr uint64_t kAhead = 256;
  void Seed(uint32_t seed);
  void Refill();

  std::array<uint32_t, kWords> state_;
  size_t next_ = kWords;
};

}  // namespace galley::data
