// The recipe's data section as data plan and loaders.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/data/data_plan.h"
#include "runtime/data/lineage.h"
#include "runtime/data/loader.h"
#include "runtime/models/prepare.h"

namespace galley::train {

class DataSet {
 public:
  // Opens every source; an error names the file and the remedy.
  static absl::StatusOr<DataSet> Open(const models::Prepared& prepared);

  std::string plan_json() const { return data::ToJson(plan_); }
  // kFailedPrecondition when going on after `consumed` samples of the saved plan would reorder what was seen.
  absl::Status CheckResume(const std::string& saved_plan, int64_t consumed) const;
  // What a checkpoint records after `consumed` samples of the training order.
  data::Lineage LineageAfter(const data::Order& order, int64_t consumed) const;
  absl::StatusOr<std::unique_ptr<data::Loader>> MakeLoader(data::Split split) const;

 private:
  DataSet(data::DataPlan plan, int64_t micro) : plan_(std::move(plan)), micro_(micro) {}
  data::DataPlan plan_;
  int64_t micro_;
};

}  // namespace galley::train
