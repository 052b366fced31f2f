// What one optimizer step says of itself. "Not measured" is std::nullopt, never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace galley::metrics {

struct SetLoss {
  std::string set;
  double loss = 0;
};

struct StepRecord {
  int64_t step = 0;  // 1 after the first update
  int64_t attempt = 1;
  int64_t samples = 0;        // consumed, this step included
  int64_t tokens = 0;         // consumed, this step included
  uint64_t samples_hash = 0;  // of the ids of the step's samples, in order
  double loss = 0;            // mean over the step's tokens, nats
  double lr = 0;
  double grad_norm = 0;  // before clipping
  int64_t global_batch = 0;
  double step_seconds = 0;
  double data_seconds = 0;  // of step_seconds, waited for data
  double tokens_per_second = 0;
  std::optional<double> mfu;                       // model FLOPs over the peak of the inventory
  std::optional<double> validation_loss;           // of the first validation set
  std::vector<SetLoss> validation_sets = {};       // of those with a name, after an evaluation
  std::optional<double> checkpoint_stall_seconds;  // of step_seconds, waited for a snapshot
};

}  // namespace galley::metrics
