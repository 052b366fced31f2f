#include "runtime/plan/inventory.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"

namespace galley::plan {
namespace {

using Written = nlohmann::ordered_json;

constexpr int64_t kMost = 1 << 20;  // of a count: the product with the nodes must not overflow

constexpr std::pair<const char*, ProcessorKind> kKinds[] = {{"cpu", ProcessorKind::kCpu}};

Written Optional(const std::optional<double>& value) { return value ? Written(*value) : Written(nullptr); }

// Only where ranks have devices of their own, beside the first one's peaks under the keys of every plan.
Written DevicesJson(const std::vector<Device>& devices) {
  Written list = Written::array();
  for (const Device& device : devices) {
    Written peaks = Written::object();
    for (const auto& [dtype, flops] : device.peak_flops) peaks[dtype] = flops;
    list.push_back({{"kind", NameOf(device.kind)},
                    {"uuid", device.uuid},
                    {"memory_bytes", device.memory_bytes},
                    {"peak_flops", peaks},
                    {"peak_source", device.peak_source}});
  }
  return list;
}

absl::Status ReadDevice(const Json& json, const std::string& path, Device& out) {
  JsonReader reader(json, path);
  std::string kind;
  reader.Read("kind", kind);
  const std::optional<ProcessorKind> known = ProcessorNamed(kind);
  if (!known) reader.Fail("kind", absl::StrCat("is ", kind));
  out.kind = known.value_or(out.kind);
  reader.Read("uuid", out.uuid);
  reader.Read("memory_bytes", out.memory_bytes);
  reader.Read("peak_source", out.peak_source);
  const Json* const peaks = json.Find("peak_flops");
  if (peaks == nullptr || !peaks->is_object()) {
    reader.Fail("peak_flops", "is not an object");
    return reader.status();
  }
  for (const auto& [dtype, flops] : peaks->members) {
    if (!flops.Number()) reader.Fail("peak_flops", absl::StrCat("gives no number for ", dtype));
    out.peak_flops[dtype] = flops.Number().value_or(0);
  }
  return reader.status();
}

void ReadHost(const Json& json, JsonReader& reader, Device& host) {
  for (const char* dtype : {"f32", "bf16"}) {
    const std::string key = absl::StrCat("peak_flops_", dtype);
    const Json* const rate = json.Find(key);
    if (rate == nullptr || !rate->is_null()) reader.Read(key, host.peak_flops[dtype]);
  }
  reader.Read("peak_source", host.peak_source);
}

void ReadLibraries(const Json& json, JsonReader& reader, Inventory& v) {
  const Json* const libraries = json.Find("libraries");
  if (libraries == nullptr || !libraries->is_object()) return reader.Fail("libraries", "is not an object");
  for (const auto& [name, version] : libraries->members) {
    if (!version.is_string()) reader.Fail("libraries", absl::StrCat("gives no text for ", name));
    v.libraries[name] = version.text;
  }
}

absl::Status ReadInventory(const Json& json, Inventory& v) {
  JsonReader reader(json);
  for (const Json& node : reader.Items("nodes", kMost)) {
    if (!node.is_string()) reader.Fail("nodes", "holds what is not a string");
    v.nodes.push_back(node.text);
  }
  if (v.nodes.empty()) reader.Fail("nodes", "is empty");
  reader.Read("ranks_per_node", v.ranks_per_node, 1, kMost);
  reader.Read("cores_per_node", v.cores_per_node, 0, kMost);
  reader.Read("threads_per_rank", v.threads_per_rank, 0, kMost);
  reader.Read("instruction_set", v.instruction_set);
  ReadLibraries(json, reader, v);
  if (!json.contains("devices")) {
    ReadHost(json, reader, v.devices.front());
    return reader.status();
  }
  const auto ranks = static_cast<size_t>(v.ranks());
  const std::vector<Json>& devices = reader.Items("devices", ranks);
  if (devices.size() != ranks) reader.Fail("devices", absl::StrCat("is not of ", ranks, " ranks"));
  RETURN_IF_ERROR(reader.status());
  v.devices.clear();
  for (size_t i = 0; i < ranks; ++i) {
    RETURN_IF_ERROR(ReadDevice(devices[i], absl::StrCat("devices[", i, "]"), v.devices.emplace_back()));
  }
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
  Written libraries = Written::object();
  for (const auto& [name, version] : v.libraries) libraries[name] = version;
  Written json = {{"nodes", v.nodes},
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
  return json.dump(-1, ' ', false, Written::error_handler_t::replace);
}

absl::StatusOr<Inventory> InventoryFromJson(const std::string& text) {
  Inventory v;
  const absl::StatusOr<Json> json = ParseJson(text);
  const absl::Status status = json.ok() ? ReadInventory(*json, v) : json.status();
  if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat("inventory: ", status.message()));
  return v;
}

}  // namespace galley::plan
