// A run small enough to train in a second, with everything in it that a resume must get right: two ranks,
// bf16, active clipping, prefetch, a batch ramp, evaluations and saves.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace galley::testing {

inline constexpr int64_t kSmallSteps = 60;

// Writes text, its token files and recipe.yaml into `dir`.
void PrepareSmallRun(const std::string& dir);

// The command line of `trainctl train recipe.yaml`, to be run in the prepared folder.
std::vector<std::string> TrainArgs(const std::string& run_dir, const std::vector<std::string>& sets = {});
std::vector<std::string> TrainEnv(const std::string& dir);  // state of its own

struct Step {
  std::string text;  // the record without attempt, times and rates
  double loss = 0;
  std::string samples_hash;
  bool operator==(const Step& other) const { return text == other.text; }
};
struct Series {
  std::map<int64_t, Step> steps;  // as the last attempt took them
  int64_t attempts = 1;
};
Series ReadMetrics(const std::string& run_dir);

// All shards of the checkpoint of `step`, name -> bytes; empty when there is none.
std::map<std::string, std::string> Shards(const std::string& run_dir, int64_t step);

}  // namespace galley::testing
