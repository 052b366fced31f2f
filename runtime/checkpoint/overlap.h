// Where the elements that two slices of a tensor have in common are in the memory of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/plan/slice.h"

namespace galley::checkpoint {

// As runs of bytes that are without gaps in both memories, ascending in both. Slices cut along the first
// dimension alone have one run; cut along the columns, one a row.
class Overlap {
 public:
  // Memory is in C order. REQUIRES: common is the intersection of the two.
  Overlap(const plan::Slice& from, const plan::Slice& to, const plan::Slice& common, int64_t element_bytes);

  struct Run {
    int64_t from = 0;  // in bytes from the start of each memory
    int64_t to = 0;
  };
  int64_t runs() const { return runs_; }
  int64_t run_bytes() const { return run_bytes_; }
  Run At(int64_t i) const;
  int64_t FirstEndingAfter(int64_t from) const;  // the first run with a byte at or after `from`; else runs()

 private:
  struct Dim {
    int64_t size, from_stride, to_stride;
  };
  std::vector<Dim> outer_;  // dimensions across which the memory is not continuous
  Run first_;
  int64_t runs_ = 1;
  int64_t run_bytes_;
};

}  // namespace galley::checkpoint
