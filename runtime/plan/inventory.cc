#include "runtime/plan/inventory.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::plan {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, ProcessorKind> kKinds[] = {{"cpu", ProcessorKind::kCpu}};

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

absl::Status Wrong(const char* field) {
  return absl::InvalidArgumentError(absl::StrCat("inventory: '", field, "' is missing or of the wrong type"));
}

absl::Status ReadCount(const Json& json, const char* field, int64_t low, int64_t& out) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_number_integer()) return Wrong(field);
  out = found->get<int64_t>();
  // The product with the nodes must not overflow.
  if (out < low || out > (1 << 20))
    return absl::InvalidArgumentError(absl::StrCat("inventory: '", field, "' is ", out));
  return absl::OkStatus();
}

absl::Status ReadText(const Json& json, const char* field, std::string& out) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_string()) return Wrong(field);
  out = found->get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadRate(const Json& json, const char* field, std::optional<double>& out) {
  const auto found = json.find(field);
  if (found == json.end() || (!found->is_null() && !found->is_number())) return Wrong(field);
  if (!found->is_null()) out = found->get<double>();
  return absl::OkStatus();
}

// Only where ranks have devices of their own, beside the first one's peaks under the keys of every plan.
Json DevicesJson(const std::vector<Device>& devices) {
  Json list = Json::array();
  for (const Device& device : devices) {
    Json peaks = Json::object();
    for (const auto& [dtype, flops] : device.peak_flops) peaks[dtype] = flops;
    list.push_back({{"kind", NameOf(device.kind)},
                    {"uuid", device.uuid},
                    {"memory_bytes", device.memory_bytes},
                    {"peak_flops", peaks},
                    {"peak_source", device.peak_source}});
  }
  return list;
}

absl::Status ReadDevice(const Json& json, Device& out) {
  if (!json.is_object()) return Wrong("devices");
  std::string kind;
  RETURN_IF_ERROR(ReadText(json, "kind", kind));
  const std::optional<ProcessorKind> known = ProcessorNamed(kind);
  if (!known) return absl::InvalidArgumentError(absl::StrCat("inventory: 'kind' is ", kind));
  out.kind = *known;
  RETURN_IF_ERROR(ReadText(json, "uuid", out.uuid));
  RETURN_IF_ERROR(ReadText(json, "peak_source", out.peak_source));
  const auto memory = json.find("memory_bytes");
  const auto peaks = json.find("peak_flops");
  if (memory == json.end() || !memory->is_number_integer()) return Wrong("memory_bytes");
  if (peaks == json.end() || !peaks->is_object()) return Wrong("peak_flops");
  out.memory_bytes = memory->get<int64_t>();
  for (const auto& [dtype, flops] : peaks->items()) {
    if (!flops.is_number()) return Wrong("peak_flops");
    out.peak_flops[dtype] = flops.get<double>();
  }
  return absl::OkStatus();
}

absl::StatusOr<Device> ReadHost(const Json& json) {
  Device host;
  for (const char* dtype : {"f32", "bf16"}) {
    std::optional<double> rate;
    RETURN_IF_ERROR(ReadRate(json, absl::StrCat("peak_flops_", dtype).c_str(), rate));
    if (rate) host.peak_flops[dtype] = *rate;
  }
  RETURN_IF_ERROR(ReadText(json, "peak_source", host.peak_source));
  return host;
}

absl::Status ReadDevices(const Json& json, Inventory& v) {
  const auto found = json.find("devices");
  if (found == json.end()) {
    ASSIGN_OR_RETURN(v.devices.front(), ReadHost(json));
    return absl::OkStatus();
  }
  if (!found->is_array() || static_cast<int64_t>(found->size()) != v.ranks()) return Wrong("devices");
  v.devices.clear();
  for (const Json& device : *found) RETURN_IF_ERROR(ReadDevice(device, v.devices.emplace_back()));
  return absl::OkStatus();
}

}  // namespace

std::string NameOf(ProcessorKind kind) {
  for (const auto& [name, named] : kKinds) {
    if (named == kind) return name;
  }
  CHECK(false) << "a device kind without a name";
}

std::optional<ProcessorKind> ProcessorNamed(absl::string_view name) {
  for (const auto& [known, kind] : kKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::optional<double> Device::PeakFor(absl::string_view dtype) const {
  const auto found = peak_flops.find(std::string(dtype));
  return found == peak_flops.end() ? std::nullopt : std::optional(found->second);
}

Inventory InventoryOf(const recipe::RecipeSpec& spec) {
  Inventory inventory;
  for (int64_t i = 0; i < spec.launcher.nodes; ++i) inventory.nodes.push_back(absl::StrCat("node ", i + 1));
  inventory.ranks_per_node = spec.launcher.ranks_per_node;
  inventory.threads_per_rank = spec.launcher.threads_per_rank;
  return inventory;
}

std::string InventoryToJson(const Inventory& v) {
  Json libraries = Json::object();
  for (const auto& [name, version] : v.libraries) libraries[name] = version;
  Json json = {{"nodes", v.nodes},
               {"ranks_per_node", v.ranks_per_node},
               {"cores_per_node", v.cores_per_node},
               {"threads_per_rank", v.threads_per_rank},
               {"instruction_set", v.instruction_set},
               {"peak_flops_f32", Optional(v.PeakFor(recipe::Compute::kF32))},
               {"peak_flops_bf16", Optional(v.PeakFor(recipe::Compute::kBF16))},
               {"peak_source", v.devices.front().peak_source},
               {"libraries", libraries}};
  if (v.devices.size() > 1 || v.devices.front().kind != ProcessorKind::kCpu) {
    json["devices"] = DevicesJson(v.devices);
  }
  // A host name that is not UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Inventory> InventoryFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return absl::InvalidArgumentError("inventory: not a JSON object");
  Inventory v;
  const auto nodes = json.find("nodes");
  if (nodes == json.end() || !nodes->is_array() || nodes->empty()) return Wrong("nodes");
  for (const Json& node : *nodes) {
    if (!node.is_string()) return Wrong("nodes");
    v.nodes.push_back(node.get<std::string>());
  }
  RETURN_IF_ERROR(ReadCount(json, "ranks_per_node", 1, v.ranks_per_node));
  RETURN_IF_ERROR(ReadCount(json, "cores_per_node", 0, v.cores_per_node));
  RETURN_IF_ERROR(ReadCount(json, "threads_per_rank", 0, v.threads_per_rank));
  RETURN_IF_ERROR(ReadText(json, "instruction_set", v.instruction_set));
  RETURN_IF_ERROR(ReadDevices(json, v));
  const auto libraries = json.find("libraries");
  if (libraries == json.end() || !libraries->is_object()) return Wrong("libraries");
  for (const auto& [name, version] : libraries->items()) {
    if (!version.is_string()) return Wrong("libraries");
    v.libraries[name] = version.get<std::string>();
  }
  return v;
}

}  // namespace galley::plan
