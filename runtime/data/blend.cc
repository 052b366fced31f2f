#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/data/galley_order.h"

namespace galley::data {

absl::StatusOr<std::vector<int64_t>> SharesOf(const std::vector<double>& weights) {
  double sum = 0;
  for (size_t s = 0; s < weights.size(); ++s) {
    if (!(weights[s] > 0) || !std::isfinite(weights[s])) {
      return absl::InvalidArgumentError(
          absl::StrCat("data.train[", s, "].weight: ", weights[s],
                       " must be a positive number; leave out a source of weight 0"));
    }
    sum += weights[s];
  }
  if (!std::isfinite(sum)) return absl::InvalidArgumentError("data.train: the weights' sum is not finite");
  const size_t n = weights.size();
  if (n == 1) return std::vector<int64_t>{1};
  // At least 2^16 places, and 2^10 a source: a weight is off by half a place at most, so that of an average
  // source by less than 0.1 %.
  const auto period = static_cast<int64_t>(std::bit_ceil(std::max<size_t>(1 << 16, n << 10)));

  // Everyone gets 1 and its whole part of the rest; what is left goes to the largest remainders.
  std::vector<int64_t> shares(n);
  std::vector<std::pair<double, size_t>> remainders;
  int64_t left = period;
  for (size_t s = 0; s < n; ++s) {
    const double exact = std::max(1.0, weights[s] / sum * static_cast<double>(period));
    shares[s] = static_cast<int64_t>(exact);
    remainders.emplace_back(static_cast<double>(shares[s]) - exact, s);
    left -= shares[s];
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; left > 0; i = (i + 1) % n, --left) ++shares[remainders[i].second];
  // The floor of 1 may have given too much: the largest shares give it back.
  while (left < 0) {
    const auto largest = std::max_element(shares.begin(), shares.end());
    const int64_t give = std::min(-left, std::max<int64_t>(1, *largest / 1024));
    *largest -= give;
    left += give;
  }
  return shares;
}

std::vector<int32_t> Deal(const std::vector<int64_t>& shares) {
  const int64_t period = std::accumulate(shares.begin(), shares.end(), int64_t{0});
  const auto k = static_cast<int64_t>(shares.size());
  std::vector<int32_t> dealt(static_cast<size_t>(period), 0);
  if (k == 1) return dealt;

  // With share a of period P, draw x (from 0) of a source may be made at the first place n (from 1) where
  // n a / P - x >= 1 / (2k - 2), and must be by the first where n a / P - x > 1 - 1 / (2k - 2). Taking the
  // earliest deadline of those that may always succeeds (Tijdeman, theorem 1), and then |drawn - n a / P|
  // < 1. All in whole numbers, which fit: P <= 2^24, k <= 2^12, x <= P.
  const int64_t d = 2 * k - 2;
  struct Draw {
    int64_t release = 0;
    int64_t deadline = 0;
    int32_t source = 0;
    int64_t x = 0;
  };
  const auto draw = [&](int32_t source, int64_t x) {
    const int64_t a = shares[static_cast<size_t>(source)];
    const auto first = [&](int64_t numerator) {  // least n with d (n a - P x) >= numerator
      return (numerator + d * period * x + d * a - 1) / (d * a);
    };
    return Draw{first(period), first(period * (d - 1) + 1), source, x};
  };
  const auto later_release = [](const Draw& a, const Draw& b) {
    return std::pair(a.release, a.source) > std::pair(b.release, b.source);
  };
  const auto later_deadline = [](const Draw& a, const Draw& b) {
    return std::pair(a.deadline, a.source) > std::pair(b.deadline, b.source);
  };
  std::priority_queue<Draw, std::vector<Draw>, decltype(later_release)> waiting(later_release);
  std::priority_queue<Draw, std::vector<Draw>, decltype(later_deadline)> ready(later_deadline);
  for (int32_t s = 0; s < k; ++s) waiting.push(draw(s, 0));
  for (int64_t n = 1; n <= period; ++n) {
    while (!waiting.empty() && waiting.top().release <= n) {
      ready.push(waiting.top());
      waiting.pop();
    }
    CHECK(!ready.empty() && ready.top().deadline >= n) << "place " << n << " of " << period;
    const Draw made = ready.top();
    ready.pop();
    dealt[static_cast<size_t>(n - 1)] = made.source;
    waiting.push(draw(made.source, made.x + 1));
  }
  return dealt;
}

}  // namespace galley::data
