#include "runtime/train/dataset.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/data/order/megatron_cache.h"
#include "runtime/data/order/skipping_order.h"
#include "runtime/prepare/data_config.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::train {
namespace {

// Micro-batches read ahead: enough to hide a slow read behind a step, and small beside a step's memory.
constexpr int kDepth = 8;

absl::Status CheckCacheOf(const std::string& folder, const data::DataPlan& plan, data::Split split,
                          const data::Order& order) {
  const auto* megatron = dynamic_cast<const data::MegatronOrder*>(&order.whole());
  if (megatron == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const data::CacheCheck check, data::CheckMegatronCache(folder, plan, split, *megatron));
  LogInfo("data.megatron.cache: ", check.agreeing.size(), " files of the ", data::Name(split),
          " split agree with this run's order; ", check.missing.size(), " of its indices are not in ",
          folder);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DataSet> DataSet::Open(const prepare::Prepared& prepared) {
  const recipe::RecipeSpec& spec = prepared.spec;
  DataSet set;
  const data::DataConfig config = prepare::DataConfigOf(prepared);
  ASSIGN_OR_RETURN(set.plan_, data::BuildDataPlan(config));
  set.split_validates_ = config.needs_valid;
  for (prepare::NamedSet& named : prepare::NamedSetsOf(spec)) {
    ASSIGN_OR_RETURN(data::DataPlan plan, data::BuildDataPlan(named.config));
    set.named_.push_back({std::move(named.name), std::move(plan)});
  }
  std::optional<int32_t> separator;
  if (prepare::SeparatorsDivideDocuments(spec)) {
    ASSIGN_OR_RETURN(separator, tokenizer::ReadEod(spec.data.tokenizer));
  }
  ASSIGN_OR_RETURN(set.mask_, prepare::MaskOptionsOf(spec, separator));
  set.shape_ = {.micro = spec.batch.micro,
                .context = spec.model.context,
                .attention_by_document = spec.data.mask.attention == recipe::Scope::kDocument,
                .positions_by_document = spec.data.mask.positions == recipe::Scope::kDocument};
  set.cache_ = spec.data.megatron.cache;
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

absl::Status DataSet::CheckCache(const Batches& train, const std::vector<ValidationSet>& validation) const {
  if (cache_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckCacheOf(cache_, plan_, data::Split::kTrain, train.order()));
  for (const ValidationSet& set : validation) {
    if (!set.name.empty()) continue;
    RETURN_IF_ERROR(CheckCacheOf(cache_, plan_, data::Split::kValid, set.batches->order()));
  }
  return absl::OkStatus();
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
                                                                   int64_t data_rank) const {
  std::vector<ValidationSet> sets;
  if (plan.evaluation.Count() == 0) return sets;
  const auto add = [&](const std::string& name, std::unique_ptr<data::Loader> loader) {
    auto samples = std::make_unique<EvaluationSamples>(plan, data_rank);
    ValidationSet set{.name = name, .samples = std::move(samples), .batches = {}};
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
