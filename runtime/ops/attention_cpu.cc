// One (sample, key/value head) pair at a time on a thread, its operands widened to f32 in scratch: a few
// matrices of (sequence, head_dim) that stay in cache. Scores exist as one tile of kTile x kTile. The pairs
// are shared out in equal runs, so results do not depend on timing, nor on the thread count.
//
// The products are TileProduct's and not oneDNN's: a primitive for each tile would spend the time in calls.
#include "runtime/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/ops/cpu.h"
#include "runtime/ops/scratch.h"
#include "runtime/ops/tile_product.h"

namespace galley::ops {
namespace {

// 64 x 64 scores are 16 KiB: they stay in the first-level cache from the product that makes them through the
// softmax to the product that uses them.
constexpr int64_t kTile = kAttentionTile;

// Sizes that every helper needs. Rows are padded to whole tiles and columns to whole vectors, with zeros.
struct Sizes {
  int64_t sequence, head_dim;
  int64_t tiles;   // ceil(sequence / kTile)
  int64_t length;  // tiles * kTile
  int64_t width;   // head_dim, padded
  float scale;     // 1 / sqrt(head_dim)
  explicit Sizes(const AttentionShape& s)
      : sequence(s.sequence),
        head_dim(s.head_dim),
        tiles((s.sequence + kTile - 1) / kTile),
        length(tiles * kTile),
        width(PaddedColumns(s.head_dim)),
        scale(1.0f / std::sqrt(static_cast<float>(s.head_dim))) {}
  int64_t matrix() const { return length * width; }
};

// (length, width) from a head's columns of a sample's rows, times `factor`.
template <class T>
GALLEY_SIMD void Widen(const Sizes& z, Rows<T> from, float factor, float* to) {
  for (int64_t r = 0; r < z.length; ++r, to += z.width) {
    if (r >= z.sequence) {
      std::fill_n(to, z.width, 0.0f);
      continue;
    }
    const T* in = from[r];
#pragma omp simd
    for (int64_t i = 0; i < z.head_dim; ++i) to[i] = Load(in + i) * factor;
    std::fill_n(to + z.head_dim, z.width - z.head_dim, 0.0f);
  }
}

// The transposed matrix, a (width, kTile) piece for each tile of rows, from the widened one. q k^T and dy v^T
// have it as their right operand, which TileProduct wants with unit stride along a row; made once, it serves
// all query heads of the group.
GALLEY_SIMD void TransposeTiles(const Sizes& z, const float* from, float* to) {
  for (int64_t t = 0; t < z.tiles; ++t, to += z.width * kTile) {
    const float* in = from + t * kTile * z.width;
    for (int64_t i = 0; i < z.width; ++i) {
      for (int64_t r = 0; r < kTile; ++r) to[i * kTile + r] = in[r * z.width + i];
    }
  }
}

template <class T>
GALLEY_SIMD void Narrow(const Sizes& z, const float* from, Rows<T> to) {
  for (int64_t r = 0; r < z.sequence; ++r, from += z.width) {
    T* out = to[r];
#pragma omp simd
    for (int64_t i = 0; i < z.head_dim; ++i) Store(out + i, from[i]);
  }
}

// What the rows of a sample attend to: row r columns [first(r), end(r)).
struct Mask {
  const int32_t* starts;  // of the sample's rows; null: all from 0
  int64_t sequence;
  bool causal;
  // Rows beyond the sequence are padding, whose results nobody reads.
  int64_t first(int64_t r) const { return starts == nullptr ? 0 : starts[std::min(r, sequence - 1)]; }
  int64_t end(int64_t r) const {
    if (causal) return r + 1;
    if (starts == nullptr) return sequence;
    // Where the next document begins: starts never falls.
    r = std::min(r, sequence - 1);
    return std::upper_bound(starts + r, starts + sequence, starts[r]) - starts;
  }
  // The columns of tile j that row r sees are [begin_in(r, j), end_in(r, j)) of [0, kTile].
  int64_t begin_in(int64_t r, int64_t j) const { return std::clamp(first(r) - j * kTile, int64_t{0}, kTile); }
  int64_t end_in(int64_t r, int64_t j) const { return std::clamp(end(r) - j * kTile, int64_t{0}, kTile); }
  // The tiles of columns that rows of tile i see: [first_tile(i), end_tile(i)).
  int64_t first_tile(int64_t i) const { return first(i * kTile) / kTile; }
  int64_t end_tile(int64_t i) const { return causal ? i + 1 : (end((i + 1) * kTile - 1) - 1) / kTile + 1; }
};

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// One step of the running softmax over a tile of scores: scores become weights relative to the new maximum,
// and what was summed so far is brought down to it. Rows and columns are those of tiles i and j.
GALLEY_SIMD void SoftmaxTile(int64_t width, const Mask& mask, int64_t i_tile, int64_t j_tile, float* scores,
                             float* maximum, float* sum, float* out) {
  for (int64_t r = 0; r < kTile; ++r, scores += kTile, out += width) {
    const int64_t row = i_tile * kTile + r;
    const int64_t begin = mask.begin_in(row, j_tile), end = mask.end_in(row, j_tile);
    // Nothing seen here: no weight, and no maximum to take (-inf less -inf would be NaN).
    if (begin >= end) {
      std::fill_n(scores, kTile, 0.0f);
      continue;
    }
    std::fill_n(scores, begin, kMasked);
    std::fill(scores + end, scores + kTile, kMasked);
    float top = maximum[r];
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < kTile; ++i) top = scores[i] > top ? scores[i] : top;
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t i = 0; i < kTile; ++i) {
      float w = Exp(scores[i] - top);
      scores[i] = w;
      part += w;
    }
    // 0 for a row's first tile, whose old maximum is -inf.
    float shrink = Exp(maximum[r] - top);
    maximum[r] = top;
    sum[r] = sum[r] * shrink + part;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] *= shrink;
  }
}

// The sums divide each row once at its end and not at every tile (Dao, "FlashAttention-2", 2023, 3.1).
GALLEY_SIMD void DivideRows(int64_t rows, int64_t width, const float* sum, float* out) {
  for (int64_t r = 0; r < rows; ++r, out += width) {
    float inverse = 1.0f / sum[r];
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] *= inverse;
  }
}

struct ForwardWorkspace {
  float *q, *k, *k_tiles, *v, *out, *scores, *maximum, *sum;
  ForwardWorkspace(Scratch& scratch, const Sizes& z)
      : q(scratch.Take<float>(z.matrix())),
        k(scratch.Take<float>(z.matrix())),
        k_tiles(scratch.Take<float>(z.matrix())),
        v(scratch.Take<float>(z.matrix())),
        out(scratch.Take<float>(z.matrix())),
        scores(scratch.Take<float>(kTile * kTile)),
        maximum(scratch.Take<float>(z.length)),
        sum(scratch.Take<float>(z.length)) {}
};

static_assert(sizeof(ForwardWorkspace) == sizeof(float*) * kAttentionForward.tensors());

// One query head, with the key/value head already in `work`.
template <class T>
void ForwardHead(const Sizes& z, const Mask& mask, Rows<T> q, Rows<T> y, float* log_sum, int64_t heads,
                 const ForwardWorkspace& work) {
  // The scale goes into q: head_dim products a row instead of one a score.
  Widen(z, q, z.scale, work.q);
  std::fill_n(work.out, z.matrix(), 0.0f);
  std::fill_n(work.maximum, z.length, -std::numeric_limits<float>::infinity());
  std::fill_n(work.sum, z.length, 0.0f);
  for (int64_t i = 0; i < z.tiles; ++i) {
    float* out = work.out + i * kTile * z.width;
    for (int64_t j = mask.first_tile(i); j < mask.end_tile(i); ++j) {
      TileProduct(kTile, kTile, z.head_dim, {work.q + i * kTile * z.width, z.width, 1},
                  work.k_tiles + j * kTile * z.width, kTile, work.scores, kTile, false);
      SoftmaxTile(z.width, mask, i, j, work.scores, work.maximum + i * kTile, work.sum + i * kTile, out);
      TileProduct(kTile, z.width, kTile, {work.scores, kTile, 1}, work.v + j * kTile * z.width, z.width, out,
                  z.width, true);
    }
  }
  DivideRows(z.sequence, z.width, work.sum, work.out);
  Narrow(z, work.out, y);
  // One number a row, from which the backward pass makes the softmax of any tile again.
  for (int64_t r = 0; r < z.sequence; ++r) log_sum[r * heads] = work.maximum[r] + std::log(work.sum[r]);
}

struct BackwardWorkspace {
  float *q, *k, *k_tiles, *v, *v_tiles, *dy, *dq, *dk, *dv, *weights, *dscores, *log_sum, *dot;
  BackwardWorkspace(Scratch& scratch, const Sizes& z)
      : q(scratch.Take<float>(z.matrix())),
        k(scratch.Take<float>(z.matrix())),
        k_tiles(scratch.Take<float>(z.matrix())),
        v(scratch.Take<float>(z.matrix())),
        v_tiles(scratch.Take<float>(z.matrix())),
        dy(scratch.Take<float>(z.matrix())),
        dq(scratch.Take<float>(z.matrix())),
        dk(scratch.Take<float>(z.matrix())),
        dv(scratch.Take<float>(z.matrix())),
        weights(scratch.Take<float>(kTile * kTile)),
        dscores(scratch.Take<float>(kTile * kTile)),
        log_sum(scratch.Take<float>(z.length)),
        dot(scratch.Take<float>(z.length)) {}
};

static_assert(sizeof(BackwardWorkspace) == sizeof(float*) * kAttentionBackward.tensors());

// dot[r] = sum of dy[r] * y[r]: what the softmax's own gradient subtracts in every row. It equals the sum of
// weight times weight gradient over the row, which no tile has whole (D of the paper's appendix B.2).
template <class T>
GALLEY_SIMD void RowDots(const Sizes& z, Rows<T> y, Rows<T> dy, float* dot) {
  for (int64_t r = 0; r < z.sequence; ++r) {
    const T* a = y[r];
    const T* b = dy[r];
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < z.head_dim; ++i) sum += Load(a + i) * Load(b + i);
    dot[r] = sum;
  }
  std::fill(dot + z.sequence, dot + z.length, 0.0f);
}

// weights: scores in, softmax out.  dscores: the weights' gradient in, the scores' gradient out.
GALLEY_SIMD void SoftmaxBackwardTile(const Mask& mask, int64_t i_tile, int64_t j_tile, const float* log_sum,
                                     const float* dot, float* weights, float* dscores) {
  for (int64_t r = 0; r < kTile; ++r, weights += kTile, dscores += kTile) {
    const int64_t row = i_tile * kTile + r;
    std::fill_n(weights, mask.begin_in(row, j_tile), kMasked);
    std::fill(weights + mask.end_in(row, j_tile), weights + kTile, kMasked);
#pragma omp simd
    for (int64_t i = 0; i < kTile; ++i) {
      float w = Exp(weights[i] - log_sum[r]);
      weights[i] = w;
      dscores[i] = w * (dscores[i] - dot[r]);
    }
  }
}

// One query head; adds to work.dk and work.dv, which the heads of a group share.
template <class T>
void BackwardHead(const Sizes& z, const Mask& mask, Rows<T> q, Rows<T> y, const float* log_sum, int64_t heads,
                  Rows<T> dy, Rows<T> dq, const BackwardWorkspace& work) {
  Widen(z, q, z.scale, work.q);
  Widen(z, dy, 1.0f, work.dy);
  RowDots(z, y, dy, work.dot);
  // Padding rows get a log_sum that keeps their weights finite; their q and dy
  // are zeros, so they add nothing.
  for (int64_t r = 0; r < z.length; ++r) work.log_sum[r] = r < z.sequence ? log_sum[r * heads] : 0.0f;
  std::fill_n(work.dq, z.matrix(), 0.0f);
  for (int64_t i = 0; i < z.tiles; ++i) {
    int64_t row = i * kTile * z.width;
    for (int64_t j = mask.first_tile(i); j < mask.end_tile(i); ++j) {
      int64_t col = j * kTile * z.width;
      TileProduct(kTile, kTile, z.head_dim, {work.q + row, z.width, 1}, work.k_tiles + col, kTile,
                  work.weights, kTile, false);
      TileProduct(kTile, kTile, z.head_dim, {work.dy + row, z.width, 1}, work.v_tiles + col, kTile,
                  work.dscores, kTile, false);
      SoftmaxBackwardTile(mask, i, j, work.log_sum + i * kTile, work.dot + i * kTile, work.weights,
                          work.dscores);
      // q carries the scale already, so dk needs none; dq gets it at the end.
      TileProduct(kTile, z.width, kTile, {work.weights, 1, kTile}, work.dy + row, z.width, work.dv + col,
                  z.width, true);
      TileProduct(kTile, z.width, kTile, {work.dscores, 1, kTile}, work.q + row, z.width, work.dk + col,
                  z.width, true);
      TileProduct(kTile, z.width, kTile, {work.dscores, kTile, 1}, work.k + col, z.width, work.dq + row,
                  z.width, true);
    }
  }
  for (int64_t i = 0; i < z.sequence * z.width; ++i) work.dq[i] *= z.scale;
  Narrow(z, work.dq, dq);
}

// The columns of head `head` (of query, key and value heads counted through) in sample b's rows.
template <class T>
Rows<T> Head(const View& v, const AttentionShape& shape, int64_t b, int64_t head) {
  Rows<T> rows(v);
  rows.data += b * shape.sequence * rows.stride + head * shape.head_dim;
  return rows;
}

Mask MaskOf(const View& starts, const AttentionShape& shape, int64_t b) {
  const int32_t* own = starts.data == nullptr ? nullptr : starts.As<int32_t>() + b * shape.sequence;
  return {own, shape.sequence, shape.causal};
}

// Calls f(b, kv_head, work) for every pair, with one Workspace a thread.
template <class Workspace, class F>
void ForPairs(CpuStream& stream, const AttentionShape& shape, int64_t rows, const Sizes& z, F&& f) {
  Scratch scratch(stream);
  int64_t pairs = rows / shape.sequence * shape.kv_heads;
  int parts = stream.threads();
  auto* work = scratch.Take<Workspace>(parts);
  for (int part = 0; part < parts; ++part) new (work + part) Workspace(scratch, z);
  ParallelParts(parts, pairs, 1, [&](int part, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) f(p / shape.kv_heads, p % shape.kv_heads, work[part]);
  });
}

}  // namespace

void AttentionForward(CpuStream& stream, const AttentionShape& shape, View qkv, View starts, View y,
                      View log_sum) {
  Sizes z(shape);
  int64_t group = shape.heads / shape.kv_heads;
  WithCompute(qkv.dtype, [&]<class T>(T) {
    ForPairs<ForwardWorkspace>(
        stream, shape, qkv.shape[0], z, [&](int64_t b, int64_t kv, const ForwardWorkspace& work) {
          Widen(z, Head<T>(qkv, shape, b, shape.heads + kv), 1.0f, work.k);
          Widen(z, Head<T>(qkv, shape, b, shape.heads + shape.kv_heads + kv), 1.0f, work.v);
          TransposeTiles(z, work.k, work.k_tiles);
          const Mask mask = MaskOf(starts, shape, b);
          for (int64_t h = kv * group; h < (kv + 1) * group; ++h) {
            float* logs = log_sum.As<float>() + b * shape.sequence * shape.heads + h;
            ForwardHead(z, mask, Head<T>(qkv, shape, b, h), Head<T>(y, shape, b, h), logs, shape.heads, work);
          }
        });
  });
}

void AttentionBackward(CpuStream& stream, const AttentionShape& shape, View qkv, View starts, View y,
                       View log_sum, View dy, View dqkv) {
  Sizes z(shape);
  int64_t group = shape.heads / shape.kv_heads;
  WithCompute(qkv.dtype, [&]<class T>(T) {
    ForPairs<BackwardWorkspace>(
        stream, shape, qkv.shape[0], z, [&](int64_t b, int64_t kv, const BackwardWorkspace& work) {
          int64_t key = shape.heads + kv, value = key + shape.kv_heads;
          Widen(z, Head<T>(qkv, shape, b, key), 1.0f, work.k);
          Widen(z, Head<T>(qkv, shape, b, value), 1.0f, work.v);
          TransposeTiles(z, work.k, work.k_tiles);
          TransposeTiles(z, work.v, work.v_tiles);
          std::fill_n(work.dk, z.matrix(), 0.0f);
          std::fill_n(work.dv, z.matrix(), 0.0f);
          const Mask mask = MaskOf(starts, shape, b);
          // dk and dv are sums over the group's query heads: taken in order by one thread, so that their bits
          // do not depend on the thread count.
          for (int64_t h = kv * group; h < (kv + 1) * group; ++h) {
            const float* logs = log_sum.As<float>() + b * shape.sequence * shape.heads + h;
            BackwardHead(z, mask, Head<T>(qkv, shape, b, h), Head<T>(y, shape, b, h), logs, shape.heads,
                         Head<T>(dy, shape, b, h), Head<T>(dqkv, shape, b, h), work);
          }
          Narrow(z, work.dk, Head<T>(dqkv, shape, b, key));
          Narrow(z, work.dv, Head<T>(dqkv, shape, b, value));
        });
  });
}

}  // namespace galley::ops
