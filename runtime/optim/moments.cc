#include "runtime/optim/moments.h"

namespace galley::optim {

Moments AllocateMoments(int64_t elements, Arena& arena) {
  const View m = arena.Take(DType::kF32, {elements});
  return {.m = m, .v = arena.Take(DType::kF32, {elements})};
}

}  // namespace galley::optim
