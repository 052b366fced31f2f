#include "runtime/plan/slice.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/base/check.h"

namespace galley::plan {
namespace {

int64_t Product(const std::vector<int64_t>& sizes, size_t from) {
  int64_t n = 1;
  for (size_t d = from; d < sizes.size(); ++d) n *= sizes[d];
  return n;
}

// Elements [begin, end) of `box` that differ from its first only in dimension `dim` and those after it.
// `corner` holds the coordinates before `dim`.
void AddFlat(const Slice& box, size_t dim, std::vector<int64_t>& corner, int64_t begin, int64_t end,
             std::vector<Slice>& out) {
  const auto add = [&](int64_t first, int64_t count) {
    Slice slice = box;
    for (size_t d = 0; d < dim; ++d) slice.begin[d] = corner[d], slice.size[d] = 1;
    if (dim < box.size.size()) slice.begin[dim] = box.begin[dim] + first, slice.size[dim] = count;
    out.push_back(std::move(slice));
  };
  const int64_t row = Product(box.size, dim + 1);
  int64_t first = begin / row;
  const int64_t last = end / row;
  const auto within = [&](int64_t index, int64_t from, int64_t to) {
    corner.push_back(box.begin[dim] + index);
    AddFlat(box, dim + 1, corner, from, to, out);
    corner.pop_back();
  };
  if (begin % row != 0) {
    within(first, begin % row, std::min(row, end - first * row));
    ++first;
  }
  if (first < last) add(first, last - first);
  if (first <= last && end % row != 0) within(last, 0, end % row);
}

using Corner = std::array<int64_t, Slice::kMaxDims>;

// The differences along all of `dims` of the function that is 1 in the slice: a sign at each of its corners.
void AddCorners(const Slice& slice, const std::vector<size_t>& dims, int64_t sign,
                std::vector<std::pair<Corner, int64_t>>& out) {
  for (size_t bits = 0; bits < size_t{1} << dims.size(); ++bits) {
    Corner corner{};
    int64_t value = sign;
    for (size_t i = 0; i < dims.size(); ++i) {
      const size_t d = dims[i];
      corner[d] = slice.begin[d];
      if ((bits >> i & 1) != 0) corner[d] += slice.size[d], value = -value;
    }
    out.emplace_back(corner, value);
  }
}

}  // namespace

int64_t Slice::elements() const { return Product(size, 0); }

bool Slice::Within(const std::vector<int64_t>& shape) const {
  if (begin.size() != shape.size() || size.size() != shape.size()) return false;
  for (size_t d = 0; d < shape.size(); ++d) {
    // By subtraction: begin + size of hostile numbers may pass 2^63.
    if (begin[d] < 0 || size[d] < 0 || size[d] > shape[d] || begin[d] > shape[d] - size[d]) return false;
  }
  return true;
}

std::optional<Slice> Intersect(const Slice& a, const Slice& b) {
  CHECK_EQ(a.size.size(), b.size.size());
  Slice common = a;
  for (size_t d = 0; d < a.size.size(); ++d) {
    common.begin[d] = std::max(a.begin[d], b.begin[d]);
    common.size[d] = std::min(a.begin[d] + a.size[d], b.begin[d] + b.size[d]) - common.begin[d];
    if (common.size[d] <= 0) return std::nullopt;
  }
  return common;
}

std::vector<Slice> FlatRange(const std::vector<Slice>& memory, int64_t begin, int64_t end) {
  CHECK(0 <= begin && begin <= end) << begin << " to " << end;
  std::vector<Slice> out;
  for (const Slice& slice : memory) {
    const int64_t elements = slice.elements();
    const int64_t to = std::min(end, elements);
    std::vector<int64_t> corner;
    if (begin < to) AddFlat(slice, 0, corner, begin, to, out);
    begin = std::max<int64_t>(begin - elements, 0);
    end = std::max<int64_t>(end - elements, 0);
  }
  CHECK_EQ(end, 0) << "the range ends after the slices";
  return out;
}

// Let f(x) be the number of slices that hold x, less 1. The sum over all corners c <= x of the signs there is
// f(x). So f is 0 everywhere exactly if all signs cancel; and at the first corner (in C order) where they do
// not, f is their sum, and before it f is 0.
std::optional<Miscounted> FirstMiscounted(const std::vector<int64_t>& shape,
                                          const std::vector<Slice>& slices) {
  CHECK_LE(shape.size(), Slice::kMaxDims);
  const Slice whole = Slice::Whole(shape);
  if (whole.elements() == 0) return std::nullopt;
  std::vector<size_t> cut;  // along the others every slice is as long as the tensor
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto is_cut = [&](const Slice& slice) { return slice.size[d] != shape[d]; };
    if (std::any_of(slices.begin(), slices.end(), is_cut)) cut.push_back(d);
  }
  std::vector<std::pair<Corner, int64_t>> signs;
  signs.reserve((slices.size() + 1) << cut.size());
  AddCorners(whole, cut, -1, signs);
  for (const Slice& slice : slices) {
    CHECK(slice.Within(shape) && slice.elements() > 0);
    AddCorners(slice, cut, 1, signs);
  }
  std::sort(signs.begin(), signs.end());
  for (size_t i = 0; i < signs.size();) {
    const Corner corner = signs[i].first;
    int64_t sum = 0;
    for (; i < signs.size() && signs[i].first == corner; ++i) sum += signs[i].second;
    if (sum != 0) {
      return Miscounted{{corner.begin(), corner.begin() + static_cast<long>(shape.size())}, sum + 1};
    }
  }
  return std::nullopt;
}

}  // namespace galley::plan
