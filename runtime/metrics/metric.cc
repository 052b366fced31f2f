#include "runtime/metrics/metric.h"

#include "absl/strings/str_cat.h"

namespace galley::metrics {
namespace {

std::string Code(const char* text) { return text == nullptr ? "" : absl::StrCat("`", text, "`"); }

// "`name` gauge {run, set}"; several by a line break.
std::string SeriesOf(const Metric& metric) {
  std::string out;
  const auto add = [&out](const char* series, const char* type, const char* labels) {
    if (series == nullptr) return;
    absl::StrAppend(&out, out.empty() ? "" : "<br>", Code(series), " ", type, labels);
  };
  add(metric.gauge, "gauge", metric.kind == Kind::kRealBySet ? ", by `set`" : "");
  add(metric.node_gauge, "gauge", ", by `node`");
  add(metric.counter, "counter", "");
  add(metric.histogram, "histogram", "");
  return out;
}

const char* LinesOf(const Metric& metric) {
  switch (metric.jsonl) {
    case InJsonl::kNone:
      return "";
    case InJsonl::kEveryLine:
      return "every";
    case InJsonl::kWhenMeasured:
      return "when measured";
  }
  return "";
}

const char* JsonTypeOf(const Metric& metric) {
  switch (metric.kind) {
    case Kind::kCount:
      return "integer";
    case Kind::kHash:
      return "string";
    case Kind::kReal:
      return "number";
    case Kind::kRealBySet:
      return "object of numbers";
  }
  return "";
}

}  // namespace

std::string MarkdownTable() {
  std::string out =
      "| metric | type | unit | metrics.jsonl | Prometheus | `status` | `list` | stays | meaning |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const Metric& metric : kMetrics) {
    absl::StrAppend(&out, "| ", Code(metric.name), " | ", JsonTypeOf(metric), " | ", metric.unit, " | ",
                    LinesOf(metric), " | ", SeriesOf(metric), " | ");
    absl::StrAppend(&out, metric.status == nullptr ? "" : metric.status, " | ",
                    metric.list == nullptr ? "" : metric.list, " | ",
                    metric.stays == Stays::kItsStep ? "its step" : "until the next", " | ", metric.help,
                    metric.counter_help == nullptr ? "" : absl::StrCat(" ", metric.counter_help), " |\n");
  }
  return out;
}

}  // namespace galley::metrics
