// A pipeline stage: consecutive blocks of a model, and the parameters they have. Pure.
#pragma once

#include <cstdint>

#include "runtime/plan/params.h"
#include "runtime/recipe/spec.h"

namespace galley::models {

// Blocks [begin, end) of a model: block 0 is the embedding, block l + 1 layer l, the last the head.
struct BlockRange {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  bool has(int64_t block) const { return block >= begin && block < end; }
  bool operator==(const BlockRange&) const = default;
};

int64_t HeadBlock(const recipe::Model& model);
// Stage `stage` of `stages`: layers shared evenly, the embedding on the first, the head on the last.
// REQUIRES: `stages` divides the layers.
BlockRange StageBlocks(const recipe::Model& model, int64_t stage, int64_t stages);

// The model's card with the parameters of a stage only, in the same order (plan::StagesOf). A tied head on
// another stage than the embedding has a copy of it, first in the table.
plan::ModelCard StageCard(const recipe::Model& model, const plan::ModelCard& card, int64_t stage,
                          int64_t stages);

}  // namespace galley::models
