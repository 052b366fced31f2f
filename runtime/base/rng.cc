#include "runtime/base/rng.h"

#include <cmath>
#include <numbers>

namespace galley {

// Multipliers, Weyl constants and ten rounds are the paper's (seven pass its tests; ten are its margin).
// Weights are drawn from these numbers, so a change of any bit here is a change of every run.
std::array<uint32_t, 4> Philox::At(uint64_t index) const {
  constexpr uint32_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57, kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                               static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)};
  uint32_t k0 = static_cast<uint32_t>(key_), k1 = static_cast<uint32_t>(key_ >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{kMul0} * c[0], p1 = uint64_t{kMul1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return c;
}

namespace {

double ToUnit(uint32_t hi, uint32_t lo) {
  // Half a step up: never 0, whose logarithm Normal would take.
  uint64_t bits = (uint64_t{hi} << 32 | lo) >> 11;
  return (static_cast<double>(bits) + 0.5) * 0x1.0p-53;
}

}  // namespace

double Philox::Uniform(uint64_t index) const {
  auto w = At(index);
  return ToUnit(w[0], w[1]);
}

double Philox::Normal(uint64_t index) const {
  auto w = At(index);
  double u = ToUnit(w[0], w[1]), v = ToUnit(w[2], w[3]);
  // Box-Muller's second value is thrown away, since a value must depend on its own index alone.
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

}  // namespace galley
