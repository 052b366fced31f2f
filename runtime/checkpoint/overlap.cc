#include "runtime/checkpoint/overlap.h"

namespace galley::checkpoint {

Overlap::Overlap(const plan::Slice& from, const plan::Slice& to, const plan::Slice& common,
                 int64_t element_bytes)
    : run_bytes_(element_bytes) {
  // From the innermost dimension outwards. As long as all inner ones are whole in both memories, a step
  // along this one goes on where the last row ended, and the run grows; from the first that is not,
  // each index is a run of its own.
  int64_t from_stride = element_bytes, to_stride = element_bytes;
  bool continuous = true;  // all dimensions after this one are whole in both memories
  for (size_t d = common.size.size(); d-- > 0;) {
    first_.from += (common.begin[d] - from.begin[d]) * from_stride;
    first_.to += (common.begin[d] - to.begin[d]) * to_stride;
    if (continuous) {
      run_bytes_ *= common.size[d];
    } else {
      runs_ *= common.size[d];
      outer_.insert(outer_.begin(), {common.size[d], from_stride, to_stride});
    }
    continuous = continuous && common.size[d] == from.size[d] && common.size[d] == to.size[d];
    from_stride *= from.size[d];
    to_stride *= to.size[d];
  }
}

Overlap::Run Overlap::At(int64_t i) const {
  Run run = first_;
  for (size_t d = outer_.size(); d-- > 0;) {
    const int64_t index = i % outer_[d].size;
    i /= outer_[d].size;
    run.from += index * outer_[d].from_stride;
    run.to += index * outer_[d].to_stride;
  }
  return run;
}

// By bisection: a file is read in blocks, and a matrix cut along its columns has as many runs as rows, so a
// search from the first run in every block would be quadratic.
int64_t Overlap::FirstEndingAfter(int64_t from) const {
  int64_t low = 0, high = runs_;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (At(middle).from + run_bytes_ > from) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace galley::checkpoint
