// The state of AdamW in memory. Pure.
#pragma once

#include "runtime/tensor/arena.h"

namespace galley::optim {

// Flat, f32, in the order of the parameter table; zero at first.
struct Moments {
  View m, v;
};
Moments AllocateMoments(int64_t elements, Arena& arena);

}  // namespace galley::optim
