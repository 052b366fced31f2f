#include "runtime/ops/rope.h"

#include <cmath>

#include "runtime/ops/check_shape.h"

namespace galley::ops {
namespace {

void CheckRope(const View& table, int64_t heads, const View& positions, int64_t sequence, const View& x) {
  CheckDense(table, DType::kF32, {table.shape[0], table.shape[1]});
  CHECK_EQ(table.shape[1] % 2, 0);
  CHECK_LE(sequence, table.shape[0]);
  if (!Absent(positions)) CheckDense(positions, DType::kI32, {x.shape[0]});
  CheckMatrix(x, x.dtype, x.shape[0], x.shape[1]);
  CHECK_LE(heads * table.shape[1], x.shape[1]);
}

}  // namespace

void FillRopeTable(double base, View table) {
  int64_t head_dim = table.shape[1];
  CheckDense(table, DType::kF32, {table.shape[0], head_dim});
  CHECK_EQ(head_dim % 2, 0);
  float* row = table.As<float>();
  for (int64_t p = 0; p < table.shape[0]; ++p, row += head_dim) {
    for (int64_t i = 0; i < head_dim / 2; ++i) {
      float frequency =
          static_cast<float>(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
      // In f32, as published models compute it: at large positions the rounding of the angle shows.
      float angle = static_cast<float>(p) * frequency;
      row[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      row[head_dim / 2 + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

void RopeForward(Stream& stream, View table, int64_t heads, View positions, int64_t sequence, View x) {
  CheckRope(table, heads, positions, sequence, x);
  Launch(stream, {table.data, positions.data, x.data},
         [&](auto& s) { RopeForward(s, table, heads, positions, sequence, x); });
}

void RopeBackward(Stream& stream, View table, int64_t heads, View positions, int64_t sequence, View dx) {
  CheckRope(table, heads, positions, sequence, dx);
  Launch(stream, {table.data, positions.data, dx.data},
         [&](auto& s) { RopeBackward(s, table, heads, positions, sequence, dx); });
}

}  // namespace galley::ops
