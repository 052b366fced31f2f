// What the tests of ops share: one body for every compute type, against a float64 reference whose own
// backward is checked by finite differences. Included by *_test.cc only.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/base/rng.h"
#include "runtime/tensor/stream.h"

namespace galley::ops {

using Doubles = std::vector<double>;

// A matrix with memory of its own. `gap` elements lie between rows, to see that ops keep to the row stride
// and to the columns: they hold a value that Gaps() checks.
class Tensor {
 public:
  Tensor(DType dtype, int64_t rows, int64_t cols, int64_t gap = 0)
      : dtype_(dtype), rows_(rows), cols_(cols), gap_(gap) {
    bytes_.resize(static_cast<size_t>(rows * (cols + gap) * SizeOf(dtype)) + 64);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols + gap; ++c) Put(r, c, c < cols ? 0 : kGap);
    }
  }
  Tensor(DType dtype, int64_t rows, int64_t cols, const Doubles& values, int64_t gap = 0)
      : Tensor(dtype, rows, cols, gap) {
    Set(values);
  }

  View view() {
    View v(Data(), dtype_, {rows_, cols_});
    v.strides[0] = cols_ + gap_;
    return v;
  }
  View vector() { return View(Data(), dtype_, {rows_ * cols_}); }  // needs no gap

  void Set(const Doubles& values) {
    ASSERT_EQ(static_cast<int64_t>(values.size()), rows_ * cols_);
    for (int64_t i = 0; i < rows_ * cols_; ++i) Put(i / cols_, i % cols_, values[static_cast<size_t>(i)]);
  }
  Doubles Get() {
    Doubles out;
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < cols_; ++c) out.push_back(At(r, c));
    }
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = cols_; c < cols_ + gap_; ++c) EXPECT_EQ(At(r, c), kGap) << "written beyond a row";
    }
    return out;
  }
  // The bytes, gaps included, to compare runs bit by bit.
  std::string Bits() { return {Data(), static_cast<size_t>(rows_ * (cols_ + gap_) * SizeOf(dtype_))}; }

 private:
  static constexpr double kGap = 123;
  char* Data() {
    auto at = reinterpret_cast<uintptr_t>(bytes_.data());
    return bytes_.data() + (64 - at % 64) % 64;
  }
  void Put(int64_t r, int64_t c, double value) {
    int64_t i = r * (cols_ + gap_) + c;
    if (dtype_ == DType::kF32) reinterpret_cast<float*>(Data())[i] = static_cast<float>(value);
    if (dtype_ == DType::kBF16) reinterpret_cast<BF16*>(Data())[i] = BF16(static_cast<float>(value));
    if (dtype_ == DType::kF64) reinterpret_cast<double*>(Data())[i] = value;
    if (dtype_ == DType::kI32) reinterpret_cast<int32_t*>(Data())[i] = static_cast<int32_t>(value);
  }
  double At(int64_t r, int64_t c) {
    int64_t i = r * (cols_ + gap_) + c;
    if (dtype_ == DType::kF32) return static_cast<double>(reinterpret_cast<float*>(Data())[i]);
    if (dtype_ == DType::kBF16) {
      return static_cast<double>(static_cast<float>(reinterpret_cast<BF16*>(Data())[i]));
    }
    if (dtype_ == DType::kI32) return reinterpret_cast<int32_t*>(Data())[i];
    return reinterpret_cast<double*>(Data())[i];
  }

  DType dtype_;
  int64_t rows_, cols_, gap_;
  std::string bytes_;
};

// Normal values that bf16 holds exactly, so that both compute types and the reference see one input.
inline Doubles Random(int64_t n, uint64_t seed, double scale = 1.0, double mean = 0.0) {
  Philox rng(seed, 7);
  Doubles out;
  for (int64_t i = 0; i < n; ++i) {
    float value = static_cast<float>(mean + scale * rng.Normal(static_cast<uint64_t>(i)));
    out.push_back(static_cast<double>(static_cast<float>(BF16(value))));
  }
  return out;
}

inline double RootMeanSquare(const Doubles& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum / static_cast<double>(v.size()));
}

// |got - want| <= tolerance * (|want| + the root mean square of want), element by element.
inline void ExpectClose(const Doubles& got, const Doubles& want, double tolerance, const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double scale = RootMeanSquare(want);
  int shown = 0;
  for (size_t i = 0; i < want.size() && shown < 5; ++i) {
    double bound = tolerance * (std::abs(want[i]) + scale);
    if (!(std::abs(got[i] - want[i]) <= bound)) {
      ADD_FAILURE() << what << "[" << i << "] is " << got[i] << ", want " << want[i] << " within " << bound;
      ++shown;
    }
  }
}

// That `gradient` is the derivative at x of sum(dy * f(x)), by central differences in float64 at up
// to 40 elements spread over x.
inline void ExpectDerivative(const std::function<Doubles(const Doubles&)>& f, const Doubles& x,
                             const Doubles& dy, const Doubles& gradient, const char* what) {
  ASSERT_EQ(gradient.size(), x.size()) << what;
  double scale = RootMeanSquare(gradient);
  size_t stride = x.size() / 40 + 1;
  for (size_t i = 0; i < x.size(); i += stride) {
    constexpr double kStep = 1e-5;
    Doubles up = x, down = x;
    up[i] += kStep;
    down[i] -= kStep;
    Doubles fu = f(up), fd = f(down);
    ASSERT_EQ(fu.size(), dy.size()) << what;
    double slope = 0;
    for (size_t j = 0; j < dy.size(); ++j) slope += dy[j] * (fu[j] - fd[j]) / (2 * kStep);
    EXPECT_NEAR(gradient[i], slope, 1e-6 * (std::abs(slope) + scale) + 1e-9) << what << "[" << i << "]";
  }
}

class OpTest : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype() const { return GetParam(); }
  // Of a result that the op rounds once from f32 to the compute type: bf16 keeps 8 bits.
  double tolerance() const { return dtype() == DType::kF32 ? 2e-5 : 6e-3; }
  // Of a result that stays f32 although its inputs are of the compute type.
  double exact() const { return 2e-5; }
  // Of a result made from values that the op rounded to the compute type on the way.
  double loose() const { return dtype() == DType::kF32 ? 5e-5 : 2e-2; }

  Stream stream_{CpuStream(2)};
};

// Runs the suite for every compute type.
#define INSTANTIATE_OPS(Suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(Cpu, Suite, ::testing::Values(DType::kF32, DType::kBF16), \
                           [](const auto& info) { return std::string(Name(info.param)); })

}  // namespace galley::ops
