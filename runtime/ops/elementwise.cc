#include "runtime/ops/elementwise.h"

#include "runtime/ops/check_shape.h"

namespace galley::ops {

void Add(Stream& stream, View a, View b, View y) {
  CheckMatrix(a, a.dtype, a.shape[0], a.shape[1]);
  CheckMatrix(b, a.dtype, a.shape[0], a.shape[1]);
  CheckMatrix(y, a.dtype, a.shape[0], a.shape[1]);
  Launch(stream, {a.data, b.data, y.data}, [&](auto& s) { Add(s, a, b, y); });
}

void Convert(Stream& stream, View from, View to) {
  CHECK_EQ(from.elements(), to.elements());
  CHECK(from.contiguous() && to.contiguous());
  Launch(stream, {from.data, to.data}, [&](auto& s) { Convert(s, from, to); });
}

void Scale(Stream& stream, float factor, View x) {
  CheckDense(x, DType::kF32, x.shape);
  Launch(stream, {x.data}, [&](auto& s) { Scale(s, factor, x); });
}

void Zero(Stream& stream, View x) {
  CHECK(x.contiguous());
  Launch(stream, {x.data}, [&](auto& s) { Zero(s, x); });
}

void AddSumOfSquares(Stream& stream, View x, View sum) {
  CheckDense(x, DType::kF32, x.shape);
  CheckDense(sum, DType::kF64, {1});
  Launch(stream, {x.data, sum.data}, [&](auto& s) { AddSumOfSquares(s, x, sum); });
}

}  // namespace galley::ops
