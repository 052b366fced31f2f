#include "runtime/models/layout.h"

namespace galley::models {

BlockLayout PreNormLayout(const PreNormSizes& sizes) {
  return [sizes](const layers::Extent& extent, layers::Memory& memory) {
    const Shape shape{extent.rows, sizes.hidden};
    auto a = std::make_unique<PreNormActivations>();
    for (View* v : {&a->normed1, &a->mid, &a->normed2}) *v = memory.kept.Take(extent.compute, shape);
    a->norm1 = layers::AllocateNorm(extent, sizes.hidden, sizes.centred, memory);
    a->norm2 = layers::AllocateNorm(extent, sizes.hidden, sizes.centred, memory);

    const int64_t mark = memory.workspace.Mark();
    for (View* v : {&a->branch, &a->dmid}) *v = memory.workspace.Take(extent.compute, shape);
    const int64_t parts = memory.workspace.Mark();  // attention and MLP never work at the same time
    a->attention = layers::AllocateAttention(extent, sizes.attention, memory);
    memory.workspace.Release(parts);
    a->mlp = layers::AllocateMlp(extent, sizes.mlp, memory);
    memory.workspace.Release(mark);
    return a;
  };
}

BlockLayout EmbeddingLayout() {
  return [](const layers::Extent&, layers::Memory&) { return std::make_unique<Activations>(); };
}

BlockLayout HeadLayout(int64_t hidden, bool centred) {
  return [hidden, centred](const layers::Extent& extent, layers::Memory& memory) {
    const int64_t mark = memory.workspace.Mark();
    auto a = std::make_unique<HeadActivations>();
    a->loss = layers::AllocateLoss(extent, hidden, centred, memory);
    memory.workspace.Release(mark);
    return a;
  };
}

}  // namespace galley::models
