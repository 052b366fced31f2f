#include "runtime/ops/gemm.h"

#include "runtime/ops/cpu.h"
#include "runtime/ops/scratch.h"
#include "runtime/ops/tile_product.h"

namespace galley::ops {
namespace {

// A block of c and what feeds it fit a second-level cache of 512 KiB: 120 KiB of a, 256 of b, 120 of sums.
constexpr int64_t kBlockRows = 120;     // a multiple of every register tile's rows: 12, 6 and 4
constexpr int64_t kBlockColumns = 256;  // of c
constexpr int64_t kBlockDepth = 256;
// Columns of b that one pass over the block's rows uses: as wide as the widest register tile, and at 32 KiB
// it stays in the first-level cache while the rows go by.
constexpr int64_t kPanel = 32;
static_assert(kBlockColumns % kPanel == 0 && kPanel % kTileColumns == 0);

template <class T>
GALLEY_SIMD void Widen(const T* from, float* to, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = Load(from + i);
}

// The (m, k) block of a at `from` into `to`, kept in the order that a has in memory: TileProduct reads its
// left operand element by element, at any stride, so transposing it would gain nothing.
template <class T>
TileOperand PackLeft(const T* from, int64_t row, int64_t col, int64_t m, int64_t k, float* to) {
  if (col == 1) {
    for (int64_t i = 0; i < m; ++i) Widen(from + i * row, to + i * kBlockDepth, k);
    return {to, kBlockDepth, 1};
  }
  for (int64_t p = 0; p < k; ++p) Widen(from + p * col, to + p * kBlockRows, m);
  return {to, 1, kBlockRows};
}

// The (k, n) block of b into panels of kPanel columns, each (k, kPanel), zeros beyond n.
template <class T>
GALLEY_SIMD void PackRight(const T* from, int64_t row, int64_t col, int64_t k, int64_t n, float* to) {
  for (int64_t j = 0; j < n; j += kPanel, to += k * kPanel) {
    int64_t columns = std::min(kPanel, n - j);
    if (columns < kPanel) std::fill_n(to, k * kPanel, 0.0f);
    if (col == 1) {
      for (int64_t p = 0; p < k; ++p) {
        const T* in = from + p * row + j;
        float* out = to + p * kPanel;
#pragma omp simd
        for (int64_t i = 0; i < columns; ++i) out[i] = Load(in + i);
      }
    } else {
      for (int64_t i = 0; i < columns; ++i) {
        const T* in = from + (j + i) * col;
        for (int64_t p = 0; p < k; ++p) to[p * kPanel + i] = Load(in + p);
      }
    }
  }
}

template <class C>
GALLEY_SIMD void StoreRow(const float* sum, const float* bias, bool accumulate, int64_t n, C* c) {
  if (accumulate) {
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) Store(c + j, Load(c + j) + sum[j]);
  } else if (bias != nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) Store(c + j, sum[j] + bias[j]);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) Store(c + j, sum[j]);
  }
}

struct PackedBlocks {
  float* left;
  float* right;
  float* sum;
};

template <class T, class C>
void Block(const View& a, const View& b, const float* bias, bool accumulate, const View& c, int64_t row,
           int64_t column, PackedBlocks to) {
  int64_t m = std::min(kBlockRows, c.shape[0] - row), n = std::min(kBlockColumns, c.shape[1] - column);
  int64_t depth = a.shape[1];
  const T* left = a.As<T>() + row * a.strides[0];
  const T* right = b.As<T>() + column * b.strides[1];
  for (int64_t p = 0; p < depth; p += kBlockDepth) {
    int64_t k = std::min(kBlockDepth, depth - p);
    TileOperand tile = PackLeft(left + p * a.strides[1], a.strides[0], a.strides[1], m, k, to.left);
    PackRight(right + p * b.strides[0], b.strides[0], b.strides[1], k, n, to.right);
    for (int64_t j = 0; j < n; j += kPanel) {
      TileProduct(m, kPanel, k, tile, to.right + j * k, kPanel, to.sum + j, kBlockColumns, p > 0);
    }
  }
  // Only now, when the sums have all of the depth: c in bf16 is rounded once.
  Rows<C> out(c);
  for (int64_t i = 0; i < m; ++i) {
    StoreRow(to.sum + i * kBlockColumns, bias == nullptr ? nullptr : bias + column, accumulate, n,
             out[row + i] + column);
  }
}

}  // namespace

View Transposed(View v) {
  CHECK_EQ(v.shape.dims(), 2);
  // A single row or column may carry any stride; give it one that stays legal when the roles change.
  if (v.shape[0] == 1) v.strides[0] = std::max<int64_t>(v.shape[1], 1);
  View out = v;
  out.shape = Shape({v.shape[1], v.shape[0]});
  std::swap(out.strides[0], out.strides[1]);
  return out;
}

void BlockedGemm(CpuStream& stream, View a, View b, View bias, bool accumulate, View c) {
  Scratch scratch(stream);
  const float* wide_bias = Widened(scratch, bias);
  constexpr int64_t kLeft = kBlockRows * kBlockDepth, kRight = kBlockColumns * kBlockDepth,
                    kSum = kBlockRows * kBlockColumns;
  static_assert(static_cast<int64_t>(sizeof(float)) * (kLeft + kRight + kSum) <= kMatmulScratchOfThread);
  float* packed = scratch.Take<float>(stream.threads() * (kLeft + kRight + kSum));
  int64_t across = (c.shape[1] + kBlockColumns - 1) / kBlockColumns;
  int64_t down = (c.shape[0] + kBlockRows - 1) / kBlockRows;
  WithCompute(a.dtype, [&]<class T>(T) {
    WithCompute(c.dtype, [&]<class C>(C) {
      // A block of c is one thread's, over all of the depth: its bits do not depend on the thread count.
      ParallelParts(stream.threads(), across * down, 1, [&](int part, int64_t begin, int64_t end) {
        float* own = packed + part * (kLeft + kRight + kSum);
        for (int64_t i = begin; i < end; ++i) {
          Block<T, C>(a, b, wide_bias, accumulate, c, i / across * kBlockRows, i % across * kBlockColumns,
                      {own, own + kLeft, own + kLeft + kRight});
        }
      });
    });
  });
}

void Gemm(CpuStream& stream, View a, View b, View bias, bool accumulate, View c) {
  CHECK(bias.data == nullptr || !accumulate);
  if (c.elements() == 0) return;
  if (!DnnlGemm(stream, a, b, bias, accumulate, c)) BlockedGemm(stream, a, b, bias, accumulate, c);
}

}  // namespace galley::ops
