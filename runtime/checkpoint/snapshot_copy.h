// The copy a step waits for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace galley::checkpoint {

struct Copy {
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
  int64_t bytes = 0;
};

// Copies all by `threads` OpenMP threads. Large pieces are stored past the caches: the target is read much
// later, and the caches keep what the next step needs.
void CopyAll(const std::vector<Copy>& copies, int threads);

}  // namespace galley::checkpoint
