#include "runtime/metrics/step_record.h"

#include <utility>

namespace galley::metrics {

std::optional<double> StepRecord::AsReal(size_t metric) const {
  if (!Has(metric)) return std::nullopt;
  switch (kMetrics[metric].kind) {
    case Kind::kCount:
      return static_cast<double>(std::bit_cast<int64_t>(bits_[metric]));
    case Kind::kReal:
      return std::bit_cast<double>(bits_[metric]);
    case Kind::kHash:
    case Kind::kRealBySet:
      return std::nullopt;
  }
  return std::nullopt;
}

void StepRecord::SetBits(size_t metric, uint64_t bits) {
  bits_[metric] = bits;
  measured_[metric] = true;
}

void StepRecord::SetOf(size_t metric, std::string set, double value) {
  sets_.push_back({metric, std::move(set), value});
  measured_[metric] = true;
}

void StepRecord::Take(const StepRecord& newer) {
  std::erase_if(sets_, [&](const SetValue& set) { return newer.Has(set.metric); });
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (newer.Has(i)) SetBits(i, newer.bits_[i]);
  }
  sets_.insert(sets_.end(), newer.sets_.begin(), newer.sets_.end());
}

void StepRecord::ForgetStep() {
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (kMetrics[i].stays == Stays::kItsStep) measured_[i] = false;
  }
  std::erase_if(sets_, [&](const SetValue& set) { return !Has(set.metric); });
}

}  // namespace galley::metrics
