#include "runtime/data/megatron/numpy_random.h"

#include <bit>

#include "runtime/base/check.h"

namespace galley::data {

NumpyRandom::NumpyRandom(uint32_t seed) { Seed(seed); }

void NumpyRandom::Seed(uint32_t seed) {
  for (uint32_t i = 0; i < kWords; ++i) {
    state_[i] = seed;
    seed = 1812433253U * (seed ^ (seed >> 30)) + i + 1;
  }
}

// The generator's own seeding from an array: two rounds
// over the state, the first of at least the key's length.
NumpyRandom::NumpyRandom(std::span<const uint32_t> key) {
  CHECK(!key.empty());
  Seed(19650218U);
  size_t i = 1;
  size_t j = 0;
  const auto advance = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  const auto before = [&] { return state_[i - 1] ^ (state_[i - 1] >> 30); };
  for (size_t k = std::max(kWords, key.size()); k > 0; --k) {
    state_[i] = (state_[i] ^ (before() * 1664525U)) + key[j] + static_cast<uint32_t>(j);
    advance();
    j = j + 1 == key.size() ? 0 : j + 1;
  }
  for (size_t k = kWords - 1; k > 0; --k) {
    state_[i] = (state_[i] ^ (before() * 1566083941U)) - static_cast<uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void NumpyRandom::Refill() {
  constexpr size_t kShift = 397;
  const auto mix = [this](size_t at, size_t next, size_t far) {
    const uint32_t y = (state_[at] & 0x80000000U) | (state_[next] & 0x7fffffffU);
    state_[at] = state_[far] ^ (y >> 1) ^ ((y & 1) != 0 ? 0x9908b0dfU : 0);
  };
  for (size_t i = 0; i < kWords - kShift; ++i) mix(i, i + 1, i + kShift);
  for (size_t i = kWords - kShift; i < kWords - 1; ++i) mix(i, i + 1, i + kShift - kWords);
  mix(kWords - 1, 0, kShift - 1);
  next_ = 0;
}

uint64_t NumpyRandom::Interval(uint64_t max) {
  if (max == 0) return 0;
  const uint64_t mask = ~uint64_t{0} >> std::countl_zero(max);
  uint64_t value;
  if (max <= 0xffffffffU) {
    do {
      value = Next32() & mask;
    } while (value > max);
    return value;
  }
  do {
    const uint64_t high = Next32();
    value = (high << 32 | Next32()) & mask;
  } while (value > max);
  return value;
}

}  // namespace galley::data
