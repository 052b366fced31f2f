// What every op's checks of its arguments are made of. A failure is a bug of the caller: these CHECK.
#pragma once

#include "runtime/tensor/view.h"

namespace galley::ops {

inline bool Absent(const View& v) { return v.data == nullptr; }

// (rows, cols) of a compute type, unit stride along a row.
inline void CheckMatrix(const View& v, DType dtype, int64_t rows, int64_t cols) {
  CHECK(v.shape == Shape({rows, cols})) << v.shape.ToString() << " is not " << Shape({rows, cols}).ToString();
  CHECK(v.dtype == dtype) << Name(v.dtype) << " is not " << Name(dtype);
  CHECK(v.dtype == DType::kF32 || v.dtype == DType::kBF16) << Name(v.dtype) << " is not a compute type";
  CHECK(cols <= 1 || v.strides[1] == 1) << "a row must be contiguous";
  CHECK(rows <= 1 || v.strides[0] >= cols);
}

// Contiguous, of one type.
inline void CheckDense(const View& v, DType dtype, Shape shape) {
  CHECK(v.shape == shape) << v.shape.ToString() << " is not " << shape.ToString();
  CHECK(v.dtype == dtype) << Name(v.dtype) << " is not " << Name(dtype);
  CHECK(v.contiguous());
}

// A vector parameter: f32 or of the compute type.
inline void CheckParameter(const View& v, DType compute, int64_t dim) {
  CheckDense(v, v.dtype == DType::kF32 ? DType::kF32 : compute, {dim});
}

}  // namespace galley::ops
