#include "runtime/layers/activations.h"

#include "runtime/ops/scratch.h"

namespace galley::layers {

Memory BindMemory(const Device& device, const Memory& measured) {
  return {.kept = Arena(Buffer(device, measured.kept.peak())),
          .workspace = Arena(Buffer(device, measured.workspace.peak())),
          .scratch = measured.scratch};
}

NormActivations AllocateNorm(const Extent& extent, int64_t dim, bool centred, Memory& memory) {
  memory.Scratch(ops::NormScratch(dim, centred, extent.threads));
  NormActivations a;
  a.inv = memory.kept.Take(DType::kF32, {extent.rows});
  if (centred) a.mean = memory.kept.Take(DType::kF32, {extent.rows});
  return a;
}

AttentionActivations AllocateAttention(const Extent& extent, const AttentionSizes& sizes, Memory& memory) {
  const Shape joint{extent.rows, sizes.joint()}, attended{extent.rows, sizes.attended()};
  memory.Scratch(ops::MatmulScratch(extent.threads));
  memory.Scratch(ops::AttentionScratch({.heads = sizes.heads,
                                        .kv_heads = sizes.kv_heads,
                                        .head_dim = sizes.head_dim,
                                        .sequence = extent.sequence,
                                        .causal = sizes.causal},
                                       extent.threads));
  AttentionActivations a;
  a.joint = memory.kept.Take(extent.compute, joint);
  a.attended = memory.kept.Take(extent.compute, attended);
  a.log_sum = memory.kept.Take(DType::kF32, {extent.rows, sizes.heads});
  a.djoint = memory.workspace.Take(extent.compute, joint);
  a.dattended = memory.workspace.Take(extent.compute, attended);
  return a;
}

MlpActivations AllocateMlp(const Extent& extent, const MlpSizes& sizes, Memory& memory) {
  memory.Scratch(ops::MatmulScratch(extent.threads));
  MlpActivations a;
  a.before = memory.kept.Take(extent.compute, {extent.rows, sizes.up});
  a.after = memory.kept.Take(extent.compute, {extent.rows, sizes.down});
  a.dafter = memory.workspace.Take(extent.compute, {extent.rows, sizes.down});
  return a;
}

LossActivations AllocateLoss(const Extent& extent, int64_t hidden, bool centred, Memory& memory) {
  const Shape shape{extent.rows, hidden};
  memory.Scratch(ops::CrossEntropyScratch(extent.rows, extent.vocab, extent.compute, extent.threads));
  LossActivations a;
  a.norm = AllocateNorm(extent, hidden, centred, memory);
  a.normed = memory.workspace.Take(extent.compute, shape);
  a.dnormed = memory.workspace.Take(extent.compute, shape);
  a.wide = memory.workspace.Take(DType::kF32, shape);
  return a;
}

}  // namespace galley::layers
