// Rectangles of tensors, in whole numbers: what a rank holds of a parameter, what a file holds of it, and
// what the two have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace galley::plan {

// Where it begins and how many it has along each dimension. Of a scalar both are empty: its one element.
struct Slice {
  static constexpr size_t kMaxDims = 4;
  std::vector<int64_t> begin;
  std::vector<int64_t> size;

  static Slice Whole(const std::vector<int64_t>& shape) {
    return {std::vector<int64_t>(shape.size(), 0), shape};
  }
  int64_t elements() const;
  // Inside a tensor of that shape. Any numbers are allowed, the extremes of int64 too.
  bool Within(const std::vector<int64_t>& shape) const;
  bool operator==(const Slice&) const = default;
};

// Of two slices of one tensor; nullopt when they have no element in common.
std::optional<Slice> Intersect(const Slice& a, const Slice& b);

// Of the slices that stand one after the other in memory, each in C order: elements [begin, end) of that
// memory as slices, in its order and each without gaps in it. What ZeRO and FSDP give a rank is such a range;
// it takes at most 2 * dims - 1 rectangles of each slice.
std::vector<Slice> FlatRange(const std::vector<Slice>& memory, int64_t begin, int64_t end);

// The first element, in C order, that is not in exactly one of the slices; nullopt when each is. Time grows
// as n log n. REQUIRES: at most kMaxDims dimensions, slices within the shape, none of them without elements.
struct Miscounted {
  std::vector<int64_t> element;
  int64_t times = 0;  // 0: in none
};
std::optional<Miscounted> FirstMiscounted(const std::vector<int64_t>& shape,
                                          const std::vector<Slice>& slices);

}  // namespace galley::plan
