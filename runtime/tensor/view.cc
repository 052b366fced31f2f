#include "runtime/tensor/view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace galley {

Shape::Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const int64_t> sizes) : dims_(static_cast<int>(sizes.size())) {
  CHECK_LE(dims_, kMaxDims);
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
}

int64_t Shape::elements() const {
  int64_t n = 1;
  for (int64_t s : sizes()) n *= s;
  return n;
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(sizes(), other.sizes()); }

std::string Shape::ToString() const { return absl::StrCat("(", absl::StrJoin(sizes(), ", "), ")"); }

View::View(void* data, DType dtype, Shape shape) : data(data), dtype(dtype), shape(shape) {
  int64_t stride = 1;
  for (int i = shape.dims() - 1; i >= 0; --i) {
    strides[static_cast<size_t>(i)] = stride;
    stride *= shape[i];
  }
}

bool View::contiguous() const {
  int64_t stride = 1;
  for (int i = shape.dims() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[static_cast<size_t>(i)] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

View View::Rows(int64_t begin, int64_t count) const {
  CHECK(shape.dims() > 0 && begin >= 0 && count >= 0 && begin + count <= shape[0])
      << begin << "+" << count << " of " << shape.ToString();
  std::array<int64_t, Shape::kMaxDims> sizes{};
  std::copy(shape.sizes().begin(), shape.sizes().end(), sizes.begin());
  sizes[0] = count;
  View out = *this;
  out.shape = Shape(std::span<const int64_t>(sizes.data(), static_cast<size_t>(shape.dims())));
  out.data = static_cast<char*>(data) + begin * strides[0] * SizeOf(dtype);
  return out;
}

View View::Reshape(Shape to) const {
  CHECK(contiguous());
  CHECK_EQ(to.elements(), elements());
  return View(data, dtype, to);
}

}  // namespace galley
