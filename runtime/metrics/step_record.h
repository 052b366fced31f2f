// What one optimizer step says of itself: values of the metrics in metric.h. What was not measured has no
// value, never 0. A metric is named by its key, which the compiler looks up: one that the table lacks, or a
// value of another type than the metric's, does not compile.
//
//   record.Set<"loss">(2.5);
//   std::optional<double> loss = record.Get<"loss">();
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "runtime/metrics/metric.h"

namespace galley::metrics {

template <size_t N>
struct Name {
  consteval Name(const char (&text)[N]) { std::copy_n(text, N, chars); }  // NOLINT: a literal is meant
  char chars[N];
};

template <Name name>
inline constexpr size_t kIndex = IndexOf({name.chars, sizeof(name.chars) - 1});

template <Kind kind>
using ValueOf = std::conditional_t<kind == Kind::kCount, int64_t,
                                   std::conditional_t<kind == Kind::kHash, uint64_t, double>>;

struct SetValue {
  size_t metric;  // index in kMetrics, of kind kRealBySet
  std::string set;
  double value;
};

class StepRecord {
 public:
  template <Name name, class T>
  void Set(T value) {
    static_assert(kIndex<name> < kMetricCount, "no such metric");
    static_assert(std::is_same_v<T, ValueOf<kMetrics[kIndex<name>].kind>>, "not the metric's type");
    static_assert(kMetrics[kIndex<name>].kind != Kind::kRealBySet, "name the set");
    SetBits(kIndex<name>, std::bit_cast<uint64_t>(value));
  }
  template <Name name>
  void Set(const std::string& set, double value) {
    static_assert(kIndex<name> < kMetricCount && kMetrics[kIndex<name>].kind == Kind::kRealBySet);
    SetOf(kIndex<name>, set, value);
  }

  template <Name name>
  auto Get() const {
    static_assert(kIndex<name> < kMetricCount, "no such metric");
    static_assert(kMetrics[kIndex<name>].kind != Kind::kRealBySet, "a set's values are in sets()");
    using T = ValueOf<kMetrics[kIndex<name>].kind>;
    return Has(kIndex<name>) ? std::optional<T>(std::bit_cast<T>(bits_[kIndex<name>])) : std::nullopt;
  }

  int64_t step() const { return Get<"step">().value_or(0); }
  int64_t attempt() const { return Get<"attempt">().value_or(0); }

  // By position in kMetrics, for what serves all of them alike.
  bool Has(size_t metric) const { return measured_[metric]; }
  uint64_t Bits(size_t metric) const { return bits_[metric]; }  // of the int64_t, uint64_t or double
  std::optional<double> AsReal(size_t metric) const;            // a count rounds; none for a hash or by set
  const std::vector<SetValue>& sets() const { return sets_; }   // in the order they were set
  void SetBits(size_t metric, uint64_t bits);
  void SetOf(size_t metric, std::string set, double value);

  void Take(const StepRecord& newer);  // its values; the others remain
  void ForgetStep();                   // what stays only for its step goes
  void Follow(const StepRecord& next) {
    ForgetStep();
    Take(next);
  }

 private:
  std::array<uint64_t, kMetricCount> bits_ = {};
  std::bitset<kMetricCount> measured_;
  std::vector<SetValue> sets_;
};

}  // namespace galley::metrics
