#include "runtime/metrics/report.h"

#include "runtime/metrics/older_report.h"

namespace galley::metrics {

v1::StepReport ToReport(const StepRecord& record) {
  v1::StepReport report;
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (!record.Has(i) || kMetrics[i].kind == Kind::kRealBySet) continue;
    v1::StepValue& value = *report.add_values();
    value.set_metric(kMetrics[i].id);
    value.set_bits(record.Bits(i));
  }
  for (const SetValue& set : record.sets()) {
    v1::StepValue& value = *report.add_values();
    value.set_metric(kMetrics[set.metric].id);
    value.set_bits(std::bit_cast<uint64_t>(set.value));
    value.set_set(set.set);
  }
  return report;
}

StepRecord FromReport(const v1::StepReport& report) {
  if (report.values().empty()) return FromOlderReport(report);
  StepRecord record;
  for (const v1::StepValue& value : report.values()) {
    const size_t metric = IndexOfId(value.metric());
    if (metric == kMetricCount) continue;
    if (kMetrics[metric].kind == Kind::kRealBySet) {
      record.SetOf(metric, value.set(), std::bit_cast<double>(value.bits()));
    } else {
      record.SetBits(metric, value.bits());
    }
  }
  return record;
}

}  // namespace galley::metrics
