#include "runtime/ops/scratch.h"

#include <algorithm>

#include "runtime/ops/tile_product.h"

namespace galley::ops {
namespace {

constexpr int64_t kF32 = sizeof(float), kF64 = sizeof(double);

// As tensor's Scratch rounds each piece it gives.
int64_t Piece(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Logits of a chunk are held in f32. More rows make better products; this is where the gain ends.
constexpr int64_t kChunkBytes = int64_t{64} << 20;
constexpr int64_t kFewestRows = 64;

}  // namespace

int64_t AttentionScratch(const AttentionShape& shape, int threads) {
  constexpr AttentionWorkspace kWork = kAttentionBackward;
  const int64_t length = (shape.sequence + kAttentionTile - 1) / kAttentionTile * kAttentionTile;
  const int64_t matrix = length * PaddedColumns(shape.head_dim);
  const int64_t thread = kWork.matrices * Piece(kF32 * matrix) +
                         kWork.tiles * Piece(kF32 * kAttentionTile * kAttentionTile) +
                         kWork.vectors * Piece(kF32 * length);
  const auto pointers = static_cast<int64_t>(sizeof(float*)) * kWork.tensors();
  return Piece(threads * pointers) + threads * thread;
}

int64_t MatmulScratch(int threads) { return threads * kMatmulScratchOfThread; }

int64_t NormScratch(int64_t dim, bool centred, int threads) {
  return (centred ? 2 : 1) * Piece(kF32 * threads * dim);
}

// Equal chunks, so that there is no small rest that needs products of another shape.
int64_t CrossEntropyChunk(int64_t rows, int64_t padded_vocab) {
  const int64_t most = std::max(kFewestRows, kChunkBytes / (padded_vocab * kF32));
  const int64_t chunks = (rows + most - 1) / most;
  return (rows + chunks - 1) / chunks;
}

int64_t CrossEntropyScratch(int64_t rows, int64_t padded_vocab, DType dtype, int threads) {
  const int64_t chunk = CrossEntropyChunk(rows, padded_vocab) * padded_vocab;
  // In f32 the gradients are written over the logits they are made from.
  const int64_t gradients = dtype == DType::kF32 ? 0 : Piece(SizeOf(dtype) * chunk);
  return Piece(kF64 * rows) + Piece(kF32 * chunk) + gradients + MatmulScratch(threads);
}

int64_t SumOfSquaresScratch(int64_t elements) {
  return Piece(kF64 * ((elements + kSumBlock - 1) / kSumBlock));
}

}  // namespace galley::ops
