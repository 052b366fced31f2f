#include "runtime/data/tools/blend_list.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

using Items = std::vector<std::string>;

// Python's str.split() without arguments, for ASCII.
Items SplitSpace(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n\v\f\r"), absl::SkipEmpty());
}

// Python's float(): decimal, inf or nan, single underscores between digits; no hexadecimal.
std::optional<double> ParseFloat(absl::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_') {
      const bool between = i > 0 && i + 1 < text.size() &&
                           absl::ascii_isdigit(static_cast<unsigned char>(text[i - 1])) &&
                           absl::ascii_isdigit(static_cast<unsigned char>(text[i + 1]));
      if (!between) return std::nullopt;
      continue;
    }
    if (c == 'x' || c == 'X' || c == '(' || absl::ascii_isspace(static_cast<unsigned char>(c)))
      return std::nullopt;
    digits.push_back(c);
  }
  if (digits.empty()) return std::nullopt;
  double value = 0;
  if (!absl::SimpleAtod(digits, &value)) return std::nullopt;
  return value;
}

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

absl::StatusOr<BlendList> FromItems(const Items& items, absl::string_view name) {
  if (items.empty()) return Bad(name, "no data set is named; give prefixes, or weights and prefixes in turn");
  size_t numbers = 0;            // where weights are expected
  std::optional<size_t> number;  // the first anywhere
  for (size_t i = 0; i < items.size(); ++i) {
    if (!ParseFloat(items[i]).has_value()) continue;
    if (i % 2 == 0) ++numbers;
    if (!number.has_value()) number = i;
  }
  BlendList list;
  list.weighted = items.size() % 2 == 0 && numbers == items.size() / 2;
  if (!list.weighted && number.has_value()) {
    return Bad(name,
               absl::StrCat("item ", *number + 1, ", '", items[*number],
                            "', is a number, but the items are not a weight and a prefix in turn; give a "
                            "weight for every prefix or for none (write a file of that name as ./",
                            items[*number], ")"));
  }
  for (size_t i = 0; i < items.size(); ++i) {
    BlendEntry entry;
    if (list.weighted) {
      const std::optional<double> weight = ParseWeight(items[i]);
      if (!weight.has_value()) {
        return Bad(name, absl::StrCat("item ", i + 1, ": a weight of ", items[i],
                                      "; it must be a finite number, and not negative"));
      }
      entry.weight = *weight;
      ++i;
    }
    entry.path = items[i];
    list.entries.push_back(std::move(entry));
  }
  return list;
}

absl::Status ReadSplit(const Json& json, const char* key, absl::string_view name,
                       std::optional<BlendList>& blend) {
  const Json* const found = json.Find(key);
  if (found == nullptr) {
    return Bad(name,
               absl::StrCat("the key \"", key, "\" is missing; give train, valid and test (null for none)"));
  }
  if (found->is_null()) return absl::OkStatus();
  const std::string of = absl::StrCat(name, ": ", key);
  Items items;
  if (found->is_string()) {
    items = SplitSpace(found->text);
  } else if (found->is_array()) {
    for (const Json& item : found->items) {
      if (!item.is_string()) return Bad(of, "an item is not a string; write weights in quotes as well");
      items.push_back(item.text);
    }
  } else {
    return Bad(of, "neither a list of strings, a string nor null");
  }
  ASSIGN_OR_RETURN(blend, FromItems(items, of));
  return absl::OkStatus();
}

}  // namespace

std::optional<double> ParseWeight(absl::string_view text) {
  const std::optional<double> value = ParseFloat(text);
  return value.has_value() && std::isfinite(*value) && *value >= 0 ? value : std::nullopt;
}

absl::StatusOr<BlendList> ParseDataPath(absl::string_view text, absl::string_view name) {
  return FromItems(SplitSpace(text), name);
}

absl::StatusOr<SplitBlends> ParsePerSplit(absl::string_view text, absl::string_view name) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return Bad(name, json.status().message());
  if (!json->is_object()) return Bad(name, "not a JSON object; it must hold the keys train, valid and test");
  SplitBlends blends;
  RETURN_IF_ERROR(ReadSplit(*json, "train", name, blends.train));
  RETURN_IF_ERROR(ReadSplit(*json, "valid", name, blends.valid));
  RETURN_IF_ERROR(ReadSplit(*json, "test", name, blends.test));
  return blends;
}

absl::StatusOr<BlendList> ParseFileList(absl::string_view text, absl::string_view name) {
  BlendList list{.entries = {}, .weighted = true};
  int64_t line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    const Items fields = SplitSpace(line);
    if (fields.empty()) continue;
    const std::string at = absl::StrCat(name, ":", line_number);
    if (fields.size() != 3) {
      return Bad(at, absl::StrCat(fields.size(), " fields; a line is a weight, a prefix and a corpus"));
    }
    const std::optional<double> weight = ParseWeight(fields[0]);
    if (!weight.has_value()) {
      return Bad(at,
                 absl::StrCat("a weight of '", fields[0], "'; it must be a finite number, and not negative"));
    }
    const std::string path = fields[1].substr(0, fields[1].find(".bin"));
    if (path.empty()) return Bad(at, absl::StrCat("'", fields[1], "' leaves no prefix before .bin"));
    list.entries.push_back({path, *weight, fields[2]});
  }
  if (list.entries.empty()) return Bad(name, "no line names a data set");
  return list;
}

}  // namespace galley::data
