#include "runtime/comm/reduce.h"

#include <bit>

#include "runtime/base/check.h"

// Function versions, picked by the loader, need GCC on x86; sanitizers instrument the
// resolvers before they are set up.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GALLEY_COMM_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GALLEY_COMM_SIMD
#endif

namespace galley::comm {
namespace {

// Every loop reads index i before it writes index i and no other, so out may be a or b: ivdep.

GALLEY_COMM_SIMD void SumF32(void* out, const void* a, const void* b, int64_t count) {
  float* o = static_cast<float*>(out);
  const float* x = static_cast<const float*>(a);
  const float* y = static_cast<const float*>(b);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) o[i] = x[i] + y[i];
}

GALLEY_COMM_SIMD void SumF64(void* out, const void* a, const void* b, int64_t count) {
  double* o = static_cast<double*>(out);
  const double* x = static_cast<const double*>(a);
  const double* y = static_cast<const double*>(b);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) o[i] = x[i] + y[i];
}

GALLEY_COMM_SIMD void SumBF16(void* out, const void* a, const void* b, int64_t count) {
  uint16_t* o = static_cast<uint16_t*>(out);
  const uint16_t* x = static_cast<const uint16_t*>(a);
  const uint16_t* y = static_cast<const uint16_t*>(b);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    float sum = std::bit_cast<float>(uint32_t{x[i]} << 16) + std::bit_cast<float>(uint32_t{y[i]} << 16);
    // The rounding of BF16(float), by selection instead of a branch so that the loop vectorises.
    uint32_t u = std::bit_cast<uint32_t>(sum);
    uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    uint32_t nan = (u >> 16) | 0x40;
    o[i] = static_cast<uint16_t>((u & 0x7fffffff) > 0x7f800000 ? nan : rounded);
  }
}

// Maxima are taken of a few flags and statistics: no versions for them.
template <class T>
void Max(void* out, const void* a, const void* b, int64_t count) {
  T* o = static_cast<T*>(out);
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  for (int64_t i = 0; i < count; ++i) {
    bool x_is_nan = x[i] != x[i];
    o[i] = x[i] > y[i] || x_is_nan ? x[i] : y[i];  // a NaN in y fails the comparison and is taken
  }
}

}  // namespace

ReduceFn SumOf(DType dtype) {
  CHECK(dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBF16) << "no sum of " << Name(dtype);
  return dtype == DType::kF32 ? SumF32 : dtype == DType::kF64 ? SumF64 : SumBF16;
}

ReduceFn MaxOf(DType dtype) {
  CHECK(dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI64)
      << "no maximum of " << Name(dtype);
  return dtype == DType::kF32 ? Max<float> : dtype == DType::kF64 ? Max<double> : Max<int64_t>;
}

}  // namespace galley::comm
