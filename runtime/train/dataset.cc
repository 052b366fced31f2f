#include "runtime/train/dataset.h"

#include <span>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/models/data_config.h"

namespace galley::train {
namespace {

// Micro-batches read ahead: enough to hide a slow read behind a step, few enough to cost no memory worth a
// word.
constexpr int kDepth = 8;

}  // namespace

absl::StatusOr<DataSet> DataSet::Open(const models::Prepared& prepared) {
  ASSIGN_OR_RETURN(data::DataPlan plan, data::BuildDataPlan(models::DataConfigOf(prepared)));
  return DataSet(std::move(plan), prepared.spec.batch.micro);
}

absl::Status DataSet::CheckResume(const std::string& saved_plan, int64_t consumed) const {
  ASSIGN_OR_RETURN(data::DataPlan saved, data::ParseDataPlan(saved_plan));
  return data::CheckResume(saved, plan_, consumed);
}

data::Lineage DataSet::LineageAfter(const data::Order& order, int64_t consumed) const {
  const data::Range samples{0, consumed};
  return data::MakeLineage(plan_, order, std::span(&samples, 1));
}

absl::StatusOr<std::unique_ptr<data::Loader>> DataSet::MakeLoader(data::Split split) const {
  return data::Loader::Create(plan_, {.split = split, .max_count = micro_, .depth = kDepth, .threads = 1});
}

}  // namespace galley::train
