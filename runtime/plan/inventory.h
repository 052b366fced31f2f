// The machines of an attempt: a value, frozen when the attempt begins. Nothing in it is measured live or
// changes while it runs; whoever gives the nodes (controller, `trainctl plan`) fills it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/recipe/spec.h"

namespace galley::plan {

struct Inventory {
  std::vector<std::string> nodes;  // host names, in rank order; "node 1".. when not known yet
  int64_t ranks_per_node = 1;
  int64_t cores_per_node = 0;    // 0: not known
  int64_t threads_per_rank = 0;  // 0: not known
  std::string instruction_set;   // "avx512_core_amx"; empty: not known
  // Peak FLOP/s of one rank, for MFU. Absent: not measured.
  std::optional<double> peak_f32;
  std::optional<double> peak_bf16;
  std::string peak_source = "not measured";      // "32 f32 FLOP a cycle x 1 core x 2.0 GHz"
  std::map<std::string, std::string> libraries;  // name -> version: "dnnl" -> "2.6.3"

  int64_t ranks() const { return static_cast<int64_t>(nodes.size()) * ranks_per_node; }
  std::optional<double> PeakFor(recipe::Compute compute) const {
    return compute == recipe::Compute::kF32 ? peak_f32 : peak_bf16;
  }
  bool operator==(const Inventory&) const = default;
};

// From the launcher section alone, for a plan made before any machine is known.
Inventory InventoryOf(const recipe::RecipeSpec& spec);

std::string InventoryToJson(const Inventory& inventory);
// kInvalidArgument naming the field.
absl::StatusOr<Inventory> InventoryFromJson(const std::string& json);

}  // namespace galley::plan
