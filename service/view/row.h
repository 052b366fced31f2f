// What is shown of a run, an event, a checkpoint or a node: keys and values in a fixed order. Keys are
// versioned API (docs/service.md).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace galley::view {

// What JSON shows as it is, and a table as `cell`.
struct Nested {
  std::string json;
  std::string cell;
};
// null (not known), number, flag, text, a list of texts or JSON.
using Value =
    std::variant<std::monostate, int64_t, double, bool, std::string, std::vector<std::string>, Nested>;
using Row = std::vector<std::pair<std::string, Value>>;  // key, value; in the order shown

// Numbers that are not finite are null. indent -1: on one line.
std::string ToJson(const Value& value, int indent = -1);
std::string ToJson(const Row& row, int indent = -1);
std::string ToJson(const std::vector<Row>& rows, int indent = -1);

std::string Rfc3339(int64_t unix_ms);              // UTC, "" for 0
std::string Compact(double number);                // 15234 -> "15.2k"
std::string Duration(double seconds);              // "1h02m", "3m20s", "12s"
std::string Ago(int64_t unix_ms, absl::Time now);  // "3m20s ago"; "-" for 0

}  // namespace galley::view
