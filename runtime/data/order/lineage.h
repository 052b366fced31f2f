// What a run has read of each source, as every checkpoint records it. Fields: docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/order.h"

namespace galley::data {

struct SourceLineage {
  std::string path;
  std::string fingerprint;
  int64_t samples = 0;
  int64_t tokens = 0;  // inputs: T a sample, padding of packed ones included
  // Which draws of the source's own order were read, ascending and apart. With the data plan they say which
  // tokens: docs/formats/data-order.md.
  std::vector<Range> draws;
  int64_t epochs = 0;    // that end before the last draw's own, or with it
  int64_t position = 0;  // draws after those
};

struct Lineage {
  std::string order;  // version of its rules
  int64_t samples = 0;
  int64_t tokens = 0;
  std::vector<SourceLineage> sources;  // as in the data plan; dummy data have none
};

// Of a run that read `samples` of the training order: ranges,
// ascending and apart (one from 0 on, unless some were passed over).
Lineage MakeLineage(const DataPlan& plan, const Order& order, std::span<const Range> samples);

std::string ToJson(const Lineage& lineage);  // one line
// kDataLoss when it is not what ToJson writes.
absl::StatusOr<Lineage> ParseLineage(absl::string_view json);

}  // namespace galley::data
