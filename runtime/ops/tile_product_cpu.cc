#include "runtime/ops/simd.h"
#include "runtime/ops/tile_product.h"

namespace galley::ops {
namespace {

// Vectors of 4, 8 and 16 floats, loaded from any float's address.
typedef float Float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Float16 __attribute__((vector_size(64), aligned(4), may_alias));

// kRows x (kWide vectors) sums held in registers over the whole of k.
template <class V, int kRows, int kWide>
GALLEY_INLINE void Tile(int64_t k, TileOperand a, const float* b, int64_t ldb, float* c, int64_t ldc,
                        bool accumulate) {
  constexpr int kLanes = sizeof(V) / sizeof(float);
  V sum[kRows][kWide];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) sum[i][j] = V{};
  }
  const float* left = a.data;
  for (int64_t p = 0; p < k; ++p, left += a.col, b += ldb) {
    V right[kWide];
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) right[j] = *reinterpret_cast<const V*>(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      float factor = left[i * a.row];
#pragma GCC unroll 4
      for (int j = 0; j < kWide; ++j) sum[i][j] += factor * right[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) {
      V* to = reinterpret_cast<V*>(c + i * ldc + j * kLanes);
      *to = accumulate ? *to + sum[i][j] : sum[i][j];
    }
  }
}

// One column strip of kWide vectors: rows by kRows, then by 4, then singly.
template <class V, int kRows, int kWide>
GALLEY_INLINE void Strip(int64_t m, int64_t k, TileOperand a, const float* b, int64_t ldb, float* c,
                         int64_t ldc, bool accumulate) {
  int64_t i = 0;
  auto at = [&](int64_t row) { return TileOperand{a.data + row * a.row, a.row, a.col}; };
  for (; i + kRows <= m; i += kRows) Tile<V, kRows, kWide>(k, at(i), b, ldb, c + i * ldc, ldc, accumulate);
  for (; i + 4 <= m; i += 4) Tile<V, 4, kWide>(k, at(i), b, ldb, c + i * ldc, ldc, accumulate);
  for (; i < m; ++i) Tile<V, 1, kWide>(k, at(i), b, ldb, c + i * ldc, ldc, accumulate);
}

template <class V, int kRows, int kWide>
GALLEY_INLINE void Product(int64_t m, int64_t n, int64_t k, TileOperand a, const float* b, int64_t ldb,
                           float* c, int64_t ldc, bool accumulate) {
  constexpr int64_t kLanes = sizeof(V) / sizeof(float);
  int64_t j = 0;
  for (; j + kWide * kLanes <= n; j += kWide * kLanes) {
    Strip<V, kRows, kWide>(m, k, a, b + j, ldb, c + j, ldc, accumulate);
  }
  for (; j < n; j += kLanes) Strip<V, kRows, 1>(m, k, a, b + j, ldb, c + j, ldc, accumulate);
}

using ProductFunction = void (*)(int64_t, int64_t, int64_t, TileOperand, const float*, int64_t, float*,
                                 int64_t, bool);

void Plain(int64_t m, int64_t n, int64_t k, TileOperand a, const float* b, int64_t ldb, float* c, int64_t ldc,
           bool accumulate) {
  Product<Float4, 4, 2>(m, n, k, a, b, ldb, c, ldc, accumulate);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// Register tiles differ by level, so these are written out, not cloned. Each is as large as the registers
// hold beside two vectors of b and one broadcast element of a: 12 x 2 sums of 32 registers, 6 x 2 of 16. Two
// multiply-adds a cycle at a latency of four want eight sums in flight; more of them save loads.
__attribute__((target("arch=x86-64-v4"))) void Wide(int64_t m, int64_t n, int64_t k, TileOperand a,
                                                    const float* b, int64_t ldb, float* c, int64_t ldc,
                                                    bool accumulate) {
  Product<Float16, 12, 2>(m, n, k, a, b, ldb, c, ldc, accumulate);
}

__attribute__((target("arch=x86-64-v3"))) void Half(int64_t m, int64_t n, int64_t k, TileOperand a,
                                                    const float* b, int64_t ldb, float* c, int64_t ldc,
                                                    bool accumulate) {
  Product<Float8, 6, 2>(m, n, k, a, b, ldb, c, ldc, accumulate);
}

ProductFunction Choose() {
  if (__builtin_cpu_supports("x86-64-v4")) return Wide;
  if (__builtin_cpu_supports("x86-64-v3")) return Half;
  return Plain;
}
#else
ProductFunction Choose() { return Plain; }
#endif

}  // namespace

void TileProduct(int64_t m, int64_t n, int64_t k, TileOperand a, const float* b, int64_t ldb, float* c,
                 int64_t ldc, bool accumulate) {
  static const ProductFunction function = Choose();
  function(m, n, k, a, b, ldb, c, ldc, accumulate);
}

}  // namespace galley::ops
