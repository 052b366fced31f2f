// What layers are told when they are laid, and of the rows that they work on.
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

// Where the rows of a micro-batch stand. It holds samples of `sequence` rows each.
struct Places {
  int64_t sequence = 0;
  View starts = {};     // (rows) i32, ops/attention.h: where each row's document begins; View{}: no borders
  View positions = {};  // (rows) i32, what position embeddings go by; View{}: the place in the sample
};

}  // namespace galley::layers
