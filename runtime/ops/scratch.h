// The most bytes that an op takes from its stream's Scratch at one time, by shape and threads. Pure: the
// plan counts with these and an engine reserves by them, so that no step makes the stack grow. An op that
// is not named here takes none.
//
// Vectors (biases, gains) are f32 here, as layers keep them; an op widens others in scratch too.
#pragma once

#include <cstdint>

#include "runtime/ops/attention.h"
#include "runtime/tensor/dtype.h"

namespace galley::ops {

// Rows and columns of the attention's tile of scores.
inline constexpr int64_t kAttentionTile = 64;
// f32 matrices of (tiles * kAttentionTile, padded head_dim), tiles, and vectors that a thread works in.
struct AttentionWorkspace {
  int64_t matrices, tiles, vectors;
  constexpr int64_t tensors() const { return matrices + tiles + vectors; }
};
inline constexpr AttentionWorkspace kAttentionForward{5, 1, 2}, kAttentionBackward{9, 2, 2};

// Of the backward pass, which takes more than the forward pass.
int64_t AttentionScratch(const AttentionShape& shape, int threads);

// A matrix product is given this much a thread, as cuBLAS is given a workspace. Ours takes a quarter of
// it. oneDNN says what its kernel needs once it is made; with 2.6 that is at most 1.7 MB a thread for the
// shapes of models up to 70B parameters and AVX-512. A kernel that needs more gets it, and the stack
// grows beyond what was planned.
inline constexpr int64_t kMatmulScratchOfThread = int64_t{2} << 20;
int64_t MatmulScratch(int threads);

// Of layer normalisation's backward pass where `centred`, else of RMS normalisation's.
int64_t NormScratch(int64_t dim, bool centred, int threads);

// Rows of logits that are in memory at one time.
int64_t CrossEntropyChunk(int64_t rows, int64_t padded_vocab);
// Of the pass with gradients. dtype: of x.
int64_t CrossEntropyScratch(int64_t rows, int64_t padded_vocab, DType dtype, int threads);

// Elements that AddSumOfSquares sums in one go, whatever the thread count.
inline constexpr int64_t kSumBlock = 16384;
int64_t SumOfSquaresScratch(int64_t elements);

}  // namespace galley::ops
