// What every layer is told when it is laid.
//
// Lay(kept, scratch) takes what lives from Forward to Backward out of `kept`, and what lives within one call
// out of `scratch`. It runs once on measuring arenas and once on bound ones. Forward and Backward may be
// given fewer rows than were laid for; they then use the first rows of their views.
#pragma once

#include "runtime/tensor/arena.h"
#include "runtime/tensor/view.h"

namespace galley::layers {

struct Extent {
  int64_t rows = 0;  // the most tokens of a micro-batch
  DType compute = DType::kF32;
};

}  // namespace galley::layers
