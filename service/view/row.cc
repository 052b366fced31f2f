#include "service/view/row.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace galley::view {
namespace {

using Json = nlohmann::ordered_json;

Json Tree(const Value& value) {
  return std::visit(
      [](const auto& v) -> Json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, double>) {
          return std::isfinite(v) ? Json(v) : Json(nullptr);
        } else if constexpr (std::is_same_v<T, Nested>) {
          return Json::parse(v.json);  // made by this program
        } else {
          return Json(v);
        }
      },
      value);
}

Json Tree(const Row& row) {
  Json json = Json::object();
  for (const auto& [key, value] : row) json[key] = Tree(value);
  return json;
}

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string ToJson(const Value& value, int indent) { return Dump(Tree(value), indent); }
std::string ToJson(const Row& row, int indent) { return Dump(Tree(row), indent); }
std::string ToJson(const std::vector<Row>& rows, int indent) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(Tree(row));
  return Dump(list, indent);
}

std::string Rfc3339(int64_t unix_ms) {
  if (unix_ms == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(unix_ms), absl::UTCTimeZone());
}

std::string Compact(double number) {
  const char* suffixes[] = {"", "k", "M", "G", "T"};
  size_t i = 0;
  while (std::fabs(number) >= 1000 && i + 1 < 5) {
    number /= 1000;
    ++i;
  }
  return i == 0 ? absl::StrFormat("%.0f", number) : absl::StrFormat("%.1f%s", number, suffixes[i]);
}

std::string Duration(double seconds) {
  const int64_t s = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (s >= 48 * 3600) return absl::StrFormat("%dd%02dh", s / 86400, s / 3600 % 24);
  if (s >= 3600) return absl::StrFormat("%dh%02dm", s / 3600, s / 60 % 60);
  if (s >= 60) return absl::StrFormat("%dm%02ds", s / 60, s % 60);
  return absl::StrFormat("%ds", s);
}

std::string Ago(int64_t unix_ms, absl::Time now) {
  if (unix_ms == 0) return "-";
  return Duration(absl::ToDoubleSeconds(now - absl::FromUnixMillis(unix_ms))) + " ago";
}

}  // namespace galley::view
