#include "runtime/metrics/json_line.h"

#include <charconv>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"

namespace galley::metrics {
namespace {

void Field(std::string& out, absl::string_view key, absl::string_view value) {
  absl::StrAppend(&out, out.size() > 1 ? "," : "", "\"", key, "\":", value);
}

std::string Number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

std::string ValueText(const StepRecord& record, size_t metric) {
  if (!record.Has(metric)) return "null";
  const uint64_t bits = record.Bits(metric);
  switch (kMetrics[metric].kind) {
    case Kind::kCount:
      return absl::StrCat(std::bit_cast<int64_t>(bits));
    case Kind::kHash:
      return absl::StrCat("\"", Hex(bits), "\"");
    case Kind::kReal:
      return Number(std::bit_cast<double>(bits));
    case Kind::kRealBySet:
      break;
  }
  std::string sets = "{";
  // Names are letters, digits, '.', '_' and '-': nothing to escape.
  for (const SetValue& set : record.sets()) {
    if (set.metric == metric) Field(sets, set.set, Number(set.value));
  }
  return sets + "}";
}

void ReadValue(const Json& json, size_t metric, StepRecord& record) {
  switch (kMetrics[metric].kind) {
    case Kind::kCount:
      if (json.kind == Json::Kind::kInt) record.SetBits(metric, std::bit_cast<uint64_t>(json.integer));
      return;
    case Kind::kHash: {
      uint64_t hash = 0;
      if (json.kind == Json::Kind::kString && absl::SimpleHexAtoi(json.text, &hash))
        record.SetBits(metric, hash);
      return;
    }
    case Kind::kReal:
      if (const auto value = json.Number()) record.SetBits(metric, std::bit_cast<uint64_t>(*value));
      return;
    case Kind::kRealBySet:
      for (const JsonMember& member : json.members) {
        if (const auto value = member.value.Number()) record.SetOf(metric, member.name, *value);
      }
      return;
  }
}

}  // namespace

std::string JsonLine(const StepRecord& record) {
  std::string out = "{";
  for (const InJsonl lines : {InJsonl::kEveryLine, InJsonl::kWhenMeasured}) {
    for (size_t i = 0; i < kMetricCount; ++i) {
      if (kMetrics[i].jsonl != lines) continue;
      if (lines == InJsonl::kEveryLine || record.Has(i)) Field(out, kMetrics[i].name, ValueText(record, i));
    }
  }
  return out + "}";
}

std::optional<StepRecord> ReadJsonLine(absl::string_view line) {
  const absl::StatusOr<Json> json = ParseJson(line);
  if (!json.ok() || !json->is_object()) return std::nullopt;
  StepRecord record;
  for (const JsonMember& member : json->members) {
    const size_t metric = IndexOf(member.name);
    if (metric < kMetricCount) ReadValue(member.value, metric, record);
  }
  return record.Get<"step">() ? std::optional<StepRecord>(std::move(record)) : std::nullopt;
}

}  // namespace galley::metrics
