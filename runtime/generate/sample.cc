#include "runtime/generate/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/rng.h"

namespace galley::generate {

absl::Status Check(const Sampling& s) {
  if (!(s.temperature >= 0) || !std::isfinite(s.temperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature ", s.temperature, ": must be 0 (greedy) or a positive number"));
  }
  if (s.top_k < 0) {
    return absl::InvalidArgumentError(absl::StrCat("top-k ", s.top_k, ": must be 0 (all) or positive"));
  }
  if (!(s.top_p > 0 && s.top_p <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("top-p ", s.top_p, ": must be above 0 and at most 1"));
  }
  return absl::OkStatus();
}

int32_t Sample(std::span<const float> logits, const Sampling& s, uint64_t index) {
  CHECK(!logits.empty());
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  auto likelier = [&](int32_t a, int32_t b) {
    float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  // Greedy apart: as a limit of the weights below it would divide by 0.
  if (s.temperature == 0) return *std::ranges::min_element(ids, likelier);
  std::ranges::sort(ids, likelier);
  if (s.top_k > 0 && static_cast<size_t>(s.top_k) < ids.size()) ids.resize(static_cast<size_t>(s.top_k));

  // Weights relative to the likeliest token, so that nothing overflows.
  const double top = logits[static_cast<size_t>(ids[0])];
  std::vector<double> sums(ids.size());
  double sum = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    sum += std::exp((static_cast<double>(logits[static_cast<size_t>(ids[i])]) - top) / s.temperature);
    sums[i] = sum;
  }
  auto reach = [&](double target) {
    auto at = std::ranges::lower_bound(sums, target);
    return std::min<size_t>(static_cast<size_t>(at - sums.begin()), sums.size() - 1);
  };
  if (s.top_p < 1) sums.resize(reach(s.top_p * sum) + 1);
  return ids[reach(Philox(s.seed, 0).Uniform(index) * sums.back())];
}

}  // namespace galley::generate
