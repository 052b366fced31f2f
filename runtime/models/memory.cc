#include "runtime/models/memory.h"

#include <algorithm>

#include "runtime/models/describe.h"

namespace galley::models {
namespace {

WeightTensors AllocateWeights(int64_t elements, DType compute, EngineMode mode, Arena& kept) {
  const Shape flat{elements};
  WeightTensors w;
  w.master = kept.Take(DType::kF32, flat);
  if (mode != EngineMode::kInfer) w.gradients = kept.Take(DType::kF32, flat);
  w.compute = compute == DType::kF32 ? w.master : kept.Take(compute, flat);
  return w;
}

}  // namespace

DType ElementOf(recipe::Compute compute) {
  // What is not built yet (f16, FP8) is counted as 16 bits; a rank refuses it.
  return compute == recipe::Compute::kF32 ? DType::kF32 : DType::kBF16;
}

EngineTensors AllocateEngine(const recipe::RecipeSpec& spec, const plan::ModelCard& card,
                             const EngineOptions& options, layers::Memory& memory) {
  const layers::Extent extent{.rows = options.rows,
                              .sequence = spec.model.context,
                              .vocab = card.padded_vocab,
                              .compute = ElementOf(spec.precision.compute),
                              .threads = options.threads};
  const ModelLayout layout = LayoutOf(spec.model);
  const BlockRange blocks = StageBlocks(spec.model, options.stage, options.stages);
  const Shape stream{extent.rows, spec.model.hidden};
  EngineTensors t;
  t.weights = AllocateWeights(card.parameters(), extent.compute, options.mode, memory.kept);
  for (const Shape& shape : layout.constants) t.constants.push_back(memory.kept.Take(DType::kF32, shape));
  // Two are enough: a block's backward pass reads the gradient of its output and writes that of its input.
  for (View& d : t.dresidual) {
    if (options.mode != EngineMode::kInfer) d = memory.kept.Take(extent.compute, stream);
  }
  t.micro_batches.resize(static_cast<size_t>(options.micro_batches));
  for (MicroBatchTensors& m : t.micro_batches) {
    for (int64_t b = blocks.begin; b <= blocks.end; ++b) {
      const bool inside = b != 0 && b <= HeadBlock(spec.model);
      const size_t i = m.residual.size();
      // Forward only, a block's input may be overwritten once its output is there.
      const bool again = options.mode == EngineMode::kInfer && i >= 2 && m.residual[i - 2].shape == stream;
      m.residual.push_back(!inside ? View{}
                           : again ? m.residual[i - 2]
                                   : memory.kept.Take(extent.compute, stream));
    }
  }
  // But for plain training, one block's activations are in use at a time: all of them share the same bytes,
  // which stay taken when the last of them is given back.
  const int64_t mark = memory.kept.Mark();
  int64_t end = mark;
  for (MicroBatchTensors& m : t.micro_batches) {
    for (int64_t b = blocks.begin; b < blocks.end; ++b) {
      m.activations.push_back(layout.blocks[static_cast<size_t>(b)](extent, memory));
      end = std::max(end, memory.kept.Mark());
      if (options.mode != EngineMode::kTrain) memory.kept.Release(mark);
    }
  }
  memory.kept.Retake(end);
  return t;
}

}  // namespace galley::models
