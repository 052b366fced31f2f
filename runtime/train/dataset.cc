#include "runtime/train/dataset.h"

#include <utility>

#include "runtime/base/status.h"
#include "runtime/data/skipping_order.h"
#include "runtime/models/data_config.h"

namespace galley::train {
namespace {

// Micro-batches read ahead: enough to hide a slow read behind a step, few enough to cost no memory worth a
// word.
constexpr int kDepth = 8;

}  // namespace

absl::StatusOr<DataSet> DataSet::Open(const models::Prepared& prepared) {
  const recipe::RecipeSpec& spec = prepared.spec;
  DataSet set;
  const data::DataConfig config = models::DataConfigOf(prepared);
  ASSIGN_OR_RETURN(set.plan_, data::BuildDataPlan(config));
  set.split_validates_ = config.needs_valid;
  for (models::NamedSet& named : models::NamedSetsOf(spec)) {
    ASSIGN_OR_RETURN(data::DataPlan plan, data::BuildDataPlan(named.config));
    set.named_.push_back({std::move(named.name), std::move(plan)});
  }
  ASSIGN_OR_RETURN(set.mask_, models::MaskOptionsOf(spec));
  set.shape_ = {.micro = spec.batch.micro,
                .context = spec.model.context,
                .attention_by_document = spec.data.mask.attention == recipe::Scope::kDocument,
                .positions_by_document = spec.data.mask.positions == recipe::Scope::kDocument};
  set.pad_ = static_cast<int32_t>(spec.data.pad);
  return set;
}

absl::Status DataSet::CheckResume(const std::string& saved_plan, int64_t consumed) const {
  ASSIGN_OR_RETURN(data::DataPlan saved, data::ParseDataPlan(saved_plan));
  return data::CheckResume(saved, plan_, consumed);
}

data::Lineage DataSet::LineageAfter(const data::Order& order, int64_t consumed) const {
  return data::MakeLineage(plan_, order.whole(), data::StretchesRead(plan_.skip, consumed));
}

absl::StatusOr<std::unique_ptr<data::Loader>> DataSet::MakeLoader(const data::DataPlan& plan,
                                                                  data::Split split) const {
  return data::Loader::Create(
      plan,
      {.samples = {.split = split, .mask = mask_, .pad = pad_}, .max_count = shape_.micro, .depth = kDepth});
}

absl::StatusOr<std::unique_ptr<data::Loader>> DataSet::MakeTrainLoader() const {
  return MakeLoader(plan_, data::Split::kTrain);
}

absl::StatusOr<std::vector<ValidationSet>> DataSet::MakeValidation(const plan::Plan& plan,
                                                                   int64_t rank) const {
  std::vector<ValidationSet> sets;
  if (plan.evaluation.Count() == 0) return sets;
  const auto add = [&](const std::string& name, std::unique_ptr<data::Loader> loader) {
    ValidationSet set{
        .name = name, .samples = std::make_unique<EvaluationSamples>(plan, rank), .batches = {}};
    set.batches = std::make_unique<Batches>(std::move(loader), shape_,
                                            [samples = set.samples.get()] { return samples->Next(); });
    sets.push_back(std::move(set));
  };
  if (split_validates_) {
    ASSIGN_OR_RETURN(auto loader, MakeLoader(plan_, data::Split::kValid));
    add("", std::move(loader));
  }
  for (const Named& named : named_) {
    ASSIGN_OR_RETURN(auto loader, MakeLoader(named.plan, data::Split::kTrain));
    add(named.name, std::move(loader));
  }
  return sets;
}

}  // namespace galley::train
