// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel
// Random Numbers: As Easy as 1, 2, 3", SC'11). A value is a pure function of
// (key, stream, index), so it does not depend on threads, ranks or call order.
#pragma once

#include <array>
#include <cstdint>

namespace galley {

class Philox {
 public:
  Philox(uint64_t key, uint64_t stream) : key_(key), stream_(stream) {}

  // Four uniform 32-bit words for counter `index`.
  std::array<uint32_t, 4> At(uint64_t index) const;
  // Uniform in (0, 1), 53 bits.
  double Uniform(uint64_t index) const;
  // Standard normal by Box-Muller.
  double Normal(uint64_t index) const;

 private:
  uint64_t key_;
  uint64_t stream_;
};

}  // namespace galley
