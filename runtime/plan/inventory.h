// The machines of an attempt: a value, frozen when the attempt begins. Nothing in it is measured live or
// changes while it runs; whoever gives the nodes (controller, `trainctl plan`) fills it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/recipe/spec.h"

namespace galley::plan {

// What hardware a device is. Which backend runs on it, runtime/tensor asks.
enum class ProcessorKind { kCpu };

// What a rank computes on.
struct Device {
  ProcessorKind kind = ProcessorKind::kCpu;
  std::string uuid;          // empty: the host's own processor, or its part that a rank has
  int64_t memory_bytes = 0;  // 0: not known
  // FLOP/s by dtype ("f32", "bf16"), for MFU. Absent: not measured.
  std::map<std::string, double> peak_flops;
  std::string peak_source = "not measured";  // "32 f32 FLOP a cycle x 1 core x 2.0 GHz"

  std::optional<double> PeakFor(absl::string_view dtype) const;
  bool operator==(const Device&) const = default;
};

struct Inventory {
  std::vector<std::string> nodes;  // host names, in rank order; "node 1".. when not known yet
  int64_t ranks_per_node = 1;
  int64_t cores_per_node = 0;    // 0: not known
  int64_t threads_per_rank = 0;  // 0: not known
  std::string instruction_set;   // "avx512_core_amx"; empty: not known
  // One for each rank; or a single one, the share of its node's processor that every rank has.
  std::vector<Device> devices = {Device{}};
  std::map<std::string, std::string> libraries;  // name -> version: "dnnl" -> "2.6.3"

  int64_t ranks() const { return static_cast<int64_t>(nodes.size()) * ranks_per_node; }
  const Device& DeviceOf(int64_t rank) const {
    return devices.size() == 1 ? devices.front() : devices[static_cast<size_t>(rank)];
  }
  std::optional<double> PeakFor(recipe::Compute compute) const {  // of one rank; all ranks' are alike
    return devices.front().PeakFor(compute == recipe::Compute::kF32 ? "f32" : "bf16");
  }
  bool operator==(const Inventory&) const = default;
};

std::string NameOf(ProcessorKind kind);  // "cpu"
std::optional<ProcessorKind> ProcessorNamed(absl::string_view name);

// From the launcher section alone, for a plan made before any machine is known.
Inventory InventoryOf(const recipe::RecipeSpec& spec);

std::string InventoryToJson(const Inventory& inventory);
// kInvalidArgument naming the field.
absl::StatusOr<Inventory> InventoryFromJson(const std::string& json);

}  // namespace galley::plan
