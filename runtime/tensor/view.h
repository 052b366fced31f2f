// A View is a pointer, an element type, a shape and strides (in elements). It owns
// nothing and is cheap to copy.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "runtime/base/check.h"
#include "runtime/tensor/dtype.h"

namespace galley {

// Up to kMaxDims sizes; a scalar has none.
class Shape {
 public:
  static constexpr int kMaxDims = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes);
  explicit Shape(std::span<const int64_t> sizes);

  int dims() const { return dims_; }
  int64_t operator[](int i) const { return sizes_[static_cast<size_t>(i)]; }
  int64_t elements() const;
  std::span<const int64_t> sizes() const { return {sizes_.data(), static_cast<size_t>(dims_)}; }
  bool operator==(const Shape& other) const;
  std::string ToString() const;  // "(2, 3)"

 private:
  std::array<int64_t, kMaxDims> sizes_{};
  int dims_ = 0;
};

struct View {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  std::array<int64_t, Shape::kMaxDims> strides{};  // in elements

  View() = default;
  View(void* data, DType dtype, Shape shape);  // contiguous, C order

  int64_t elements() const { return shape.elements(); }
  int64_t bytes() const { return elements() * SizeOf(dtype); }
  bool contiguous() const;

  // CHECKs the element type.
  template <class T>
  T* As() const {
    CHECK(dtype == kDTypeOf<T>) << Name(dtype) << " is not " << Name(kDTypeOf<T>);
    return static_cast<T*>(data);
  }
  template <class T>
  std::span<T> Span() const {
    CHECK(contiguous());
    return {As<T>(), static_cast<size_t>(elements())};
  }

  View Rows(int64_t begin, int64_t count) const;  // along dim 0
  View Reshape(Shape to) const;                   // contiguous views only
};

}  // namespace galley
