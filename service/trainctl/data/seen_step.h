// What a step of a run saw, from the run directory alone: the frozen recipe says which samples of the order,
// a checkpoint's data plan which tokens, and metrics.jsonl whether it was so.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/sample_reader.h"
#include "runtime/data/store/document_parts.h"
#include "runtime/recipe/spec.h"

namespace galley::trainctl {

struct SeenPart {
  data::DocumentPart where;
  std::vector<int32_t> ids;
};
struct SeenSample {
  int64_t position = 0;  // in the step
  int64_t sample = 0;    // in the training order
  int64_t rank = 0;
  int64_t micro_batch = 0;
  std::string source;  // path
  std::vector<SeenPart>
      parts;  // together T + 1 tokens, of which the last is a label only; packed: up to that
};

class SeenStep {
 public:
  // kInvalidArgument for a step that is none of the run's, or a run on dummy data; kFailedPrecondition when a
  // data set is no longer the one that was read; errors name the file.
  static absl::StatusOr<std::unique_ptr<SeenStep>> Open(const std::string& run_dir, int64_t step);

  int64_t step() const { return step_; }
  int64_t attempt() const { return attempt_; }      // the last that took it; 0: not recorded
  data::Range samples() const { return samples_; }  // of the training order
  int64_t ranks() const { return ranks_; }
  const data::DataPlan& plan() const { return plan_; }
  const std::string& plan_from() const { return plan_from_; }  // file
  const recipe::RecipeSpec& spec() const { return spec_; }
  std::string samples_hash() const;                                         // by the plan
  const std::optional<std::string>& recorded() const { return recorded_; }  // by metrics.jsonl

  int64_t RankOf(int64_t position) const { return position / micro_ % ranks_; }
  absl::StatusOr<SeenSample> Read(int64_t position) const;  // in [0, samples().size())

 private:
  explicit SeenStep(recipe::RecipeSpec spec) : spec_(std::move(spec)) {}
  absl::Status ReadPlan(const std::string& folder);  // leaves plan_from_ empty without a checkpoint
  absl::Status ReadMetrics(const std::string& run_dir);

  int64_t step_ = 0;
  int64_t attempt_ = 0;
  data::Range samples_;
  int64_t ranks_ = 1;
  int64_t micro_ = 1;
  recipe::RecipeSpec spec_;
  data::DataPlan plan_;
  std::string plan_from_;
  std::optional<std::string> recorded_;
  std::optional<data::SampleReader> reader_;
};

}  // namespace galley::trainctl
