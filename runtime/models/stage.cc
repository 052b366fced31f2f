#include "runtime/models/stage.h"

#include <algorithm>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/plan/sharding.h"

namespace galley::models {
int64_t HeadBlock(const recipe::Model& model) { return model.layers + 1; }

BlockRange StageBlocks(const recipe::Model& model, int64_t stage, int64_t stages) {
  CHECK_EQ(model.layers % stages, 0);
  CHECK(stage >= 0 && stage < stages);
  const int64_t share = model.layers / stages, first = stage * share + 1;
  return {stage == 0 ? 0 : first, first + share + (stage + 1 == stages ? 1 : 0)};
}

plan::ModelCard StageCard(const recipe::Model& model, const plan::ModelCard& card, int64_t stage,
                          int64_t stages) {
  plan::ModelCard out = card;
  std::erase_if(out.params, [&](const plan::ParamSpec& param) {
    const std::vector<int64_t> on = plan::StagesOf(param, model.layers, stages, card.tied_head());
    return std::ranges::find(on, stage) == on.end();
  });
  return out;
}

}  // namespace galley::models
