// The innermost product of the CPU kernels: small f32 matrices that are in cache. Included by *_cpu.cc only.
#pragma once

#include <cstdint>

namespace galley::ops {

// Columns of b and c are padded to a multiple of this.
inline constexpr int64_t kTileColumns = 16;

constexpr int64_t PaddedColumns(int64_t n) { return (n + kTileColumns - 1) / kTileColumns * kTileColumns; }

// One operand of any layout: element (i, j) is data[i * row + j * col].
struct TileOperand {
  const float* data = nullptr;
  int64_t row = 0;
  int64_t col = 0;
};

// c (m, n) = a (m, k) b (k, n), or c += where `accumulate`. b and c have unit stride along a row and row
// strides ldb and ldc; n is a multiple of kTileColumns. Each element is one sum in ascending k.
void TileProduct(int64_t m, int64_t n, int64_t k, TileOperand a, const float* b, int64_t ldb, float* c,
                 int64_t ldc, bool accumulate);

}  // namespace galley::ops
