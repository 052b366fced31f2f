// The recipe's data section as data plan and micro-batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/lineage.h"
#include "runtime/data/order/loader.h"
#include "runtime/plan/plan.h"
#include "runtime/prepare/prepare.h"
#include "runtime/train/batches.h"

namespace galley::train {

class DataSet {
 public:
  // Opens every source; an error names the file and the remedy.
  static absl::StatusOr<DataSet> Open(const prepare::Prepared& prepared);

  std::string plan_json() const { return data::ToJson(plan_); }
  // kFailedPrecondition when going on after `consumed` samples of the saved plan would reorder what was seen.
  absl::Status CheckResume(const std::string& saved_plan, int64_t consumed) const;
  // What a checkpoint records after `consumed` samples of the training order.
  data::Lineage LineageAfter(const data::Order& order, int64_t consumed) const;

  // Compares Megatron's cached indices, where the recipe names a folder of them, with those of these orders.
  absl::Status CheckCache(const Batches& train, const std::vector<ValidationSet>& validation) const;

  const BatchShape& shape() const { return shape_; }
  absl::StatusOr<std::unique_ptr<data::Loader>> MakeTrainLoader() const;
  // The share of a data rank in every validation set: the split's, then those with a name. None when the run
  // never evaluates. `plan` must outlive the result.
  absl::StatusOr<std::vector<ValidationSet>> MakeValidation(const plan::Plan& plan, int64_t data_rank) const;

 private:
  DataSet() = default;
  absl::StatusOr<std::unique_ptr<data::Loader>> MakeLoader(const data::DataPlan& plan,
                                                           data::Split split) const;

  struct Named {
    std::string name;
    data::DataPlan plan;  // whose training split is the set
  };
  data::DataPlan plan_;
  bool split_validates_ = false;
  std::vector<Named> named_;
  BatchShape shape_;
  std::string cache_;  // of Megatron's indices; empty: none
  data::MaskOptions mask_;
  int32_t pad_ = 0;
};

}  // namespace galley::train
