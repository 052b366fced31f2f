#include "runtime/ops/elementwise.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void Add(Stream& stream, View a, View b, View y) {
  CheckMatrix(a, a.dtype, a.shape[0], a.shape[1]);
  CheckMatrix(b, a.dtype, a.shape[0], a.shape[1]);
  CheckMatrix(y, a.dtype, a.shape[0], a.shape[1]);
  std::visit([&](auto& s) { Add(s, a, b, y); }, stream);
}

void Convert(Stream& stream, View from, View to) {
  CHECK_EQ(from.elements(), to.elements());
  CHECK(from.contiguous() && to.contiguous());
  std::visit([&](auto& s) { Convert(s, from, to); }, stream);
}

void Scale(Stream& stream, float factor, View x) {
  CheckDense(x, DType::kF32, x.shape);
  std::visit([&](auto& s) { Scale(s, factor, x); }, stream);
}

void Zero(Stream& stream, View x) {
  CHECK(x.contiguous());
  std::visit([&](auto& s) { Zero(s, x); }, stream);
}

void AddSumOfSquares(Stream& stream, View x, View sum) {
  CheckDense(x, DType::kF32, x.shape);
  CheckDense(sum, DType::kF64, {1});
  std::visit([&](auto& s) { AddSumOfSquares(s, x, sum); }, stream);
}

}  // namespace galley::ops
