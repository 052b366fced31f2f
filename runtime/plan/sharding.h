// Which slices of a parameter a rank holds, by its coordinates in the mesh.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/plan/params.h"
#include "runtime/plan/slice.h"

namespace galley::plan {

// What tensor rank `rank` of `ranks` holds, in the order of its memory: a slice of each part, adjoining ones
// as one. Of a fused q, k, v it is the rank's rows of q, then of k, then of v. A part that is not cut is held
// by all ranks. Shares of a part differ by one row or column at most; a rank may have none.
std::vector<Slice> HeldSlices(const ParamSpec& param, int64_t rank, int64_t ranks);

// Of those, what the rank saves: of parts that all ranks hold,
// rank 0 alone. Over all ranks every element comes exactly once.
std::vector<Slice> SavedSlices(const ParamSpec& param, int64_t rank, int64_t ranks);

// Stages of the pipeline that hold the parameter; the first of them saves it. Layers are shared out evenly
// and in order, embeddings stand before the first, norm and head after the last; a tied embedding is the head
// of the last stage too.
std::vector<int64_t> StagesOf(const ParamSpec& param, int64_t layers, int64_t stages, bool tied_embeddings);

}  // namespace galley::plan
