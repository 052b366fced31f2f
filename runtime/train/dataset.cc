#include "runtime/train/dataset.h"

#include <utility>

#include "runtime/base/status.h"

namespace galley::train {
namespace {

// Micro-batches read ahead: enough to hide a slow read behind a step, few enough to cost no memory worth a
// word.
constexpr int kDepth = 8;

}  // namespace

data::DataConfig ToDataConfig(const recipe::RecipeSpec& spec) {
  data::DataConfig config;
  for (const recipe::Source& source : spec.data.train) {
    config.train.push_back({.path = source.path, .weight = source.weight});
  }
  config.split = spec.data.split;
  config.seed = spec.data.seed;
  config.sequence_length = spec.model.context;
  config.vocab = spec.model.vocab;
  config.needs_valid = spec.evaluation.samples > 0;
  return config;
}

absl::StatusOr<DataSet> DataSet::Open(const models::Prepared& prepared) {
  ASSIGN_OR_RETURN(data::DataPlan plan, data::BuildDataPlan(ToDataConfig(prepared.spec)));
  return DataSet(std::move(plan), prepared.spec.batch.micro);
}

absl::Status DataSet::CheckResume(const std::string& saved_plan, int64_t consumed) const {
  ASSIGN_OR_RETURN(data::DataPlan saved, data::ParseDataPlan(saved_plan));
  return data::CheckResume(saved, plan_, consumed);
}

absl::StatusOr<std::unique_ptr<data::Loader>> DataSet::MakeLoader(data::Split split) const {
  return data::Loader::Create(plan_, {.split = split, .max_count = micro_, .depth = kDepth, .threads = 1});
}

}  // namespace galley::train
