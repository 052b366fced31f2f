// For tests: a step with every value that a rank measures at each step but its MFU.
#pragma once

#include <cstdint>

#include "runtime/metrics/step_record.h"

namespace galley::metrics {

inline StepRecord StepForTest(int64_t step, int64_t attempt = 1) {
  StepRecord r;
  r.Set<"step">(step);
  r.Set<"attempt">(attempt);
  r.Set<"samples">(16 * step);
  r.Set<"tokens">(4096 * step);
  r.Set<"samples_hash">(uint64_t{0xfedcba9876543210});
  r.Set<"loss">(5.545177444479562);
  r.Set<"lr">(4e-5);
  r.Set<"grad_norm">(1.25);
  r.Set<"global_batch">(int64_t{16});
  r.Set<"step_seconds">(0.5);
  r.Set<"data_seconds">(0.0);
  r.Set<"tokens_per_second">(8192.0);
  return r;
}

}  // namespace galley::metrics
