#include "runtime/plan/inventory.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::plan {
namespace {

using Json = nlohmann::ordered_json;

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

}  // namespace

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
  const Json json = {{"nodes", v.nodes},
                     {"ranks_per_node", v.ranks_per_node},
                     {"cores_per_node", v.cores_per_node},
                     {"threads_per_rank", v.threads_per_rank},
                     {"instruction_set", v.instruction_set},
                     {"peak_flops_f32", Optional(v.peak_f32)},
                     {"peak_flops_bf16", Optional(v.peak_bf16)},
                     {"peak_source", v.peak_source},
                     {"libraries", libraries}};
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
  RETURN_IF_ERROR(ReadRate(json, "peak_flops_f32", v.peak_f32));
  RETURN_IF_ERROR(ReadRate(json, "peak_flops_bf16", v.peak_bf16));
  RETURN_IF_ERROR(ReadText(json, "peak_source", v.peak_source));
  const auto libraries = json.find("libraries");
  if (libraries == json.end() || !libraries->is_object()) return Wrong("libraries");
  for (const auto& [name, version] : libraries->items()) {
    if (!version.is_string()) return Wrong("libraries");
    v.libraries[name] = version.get<std::string>();
  }
  return v;
}

}  // namespace galley::plan
