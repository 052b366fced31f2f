#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/data/order/galley_order.h"

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
  // At least 2^16 positions, and 2^10 a source: a weight is off by half a position at most, so that of an
  // average source by less than 0.1 %.
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
  // The minimum of 1 may have given too much: the largest shares give it back, in small steps so that one
  // alone does not pay for all.
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

  // With share a of period P, draw x (from 0) of a source may be made at the first position n (from 1) where
  // n a / P - x >= 1 / (2k - 2), and must be by the first where n a / P - x > 1 - 1 / (2k - 2). Taking the
  // earliest deadline of those that may always succeeds (Tijdeman, theorem 1), and then |drawn - n a / P|
  // < 1. All in whole numbers, which fit: P <= 2^24, k <= 2^12, x <= P.
  const int64_t d = 2 * k - 2;
  // Each source has one draw at hand: it waits in the list of its release, then among the ready by deadline.
  std::vector<int32_t> waiting(static_cast<size_t>(period) + 2, -1);  // first source of each release
  std::vector<int32_t> next(shares.size(), -1);
  std::vector<int64_t> drawn(shares.size(), 0);
  const auto first = [&](size_t s, int64_t numerator) {  // least n with d (n a - P x) >= numerator
    const int64_t a = shares[s];
    return (numerator + d * period * drawn[s] + d * a - 1) / (d * a);
  };
  const auto wait = [&](size_t s, int64_t from) {  // `from`: the next position
    const auto release = static_cast<size_t>(std::clamp(first(s, period), from, period + 1));
    next[s] = std::exchange(waiting[release], static_cast<int32_t>(s));
  };
  constexpr int kSourceBits = 20;  // of a key: deadline above, source below
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> ready;
  for (size_t s = 0; s < shares.size(); ++s) wait(s, 1);
  for (int64_t n = 1; n <= period; ++n) {
    for (int32_t s = waiting[static_cast<size_t>(n)]; s >= 0; s = next[static_cast<size_t>(s)]) {
      const auto deadline = static_cast<uint64_t>(first(static_cast<size_t>(s), period * (d - 1) + 1));
      ready.push(deadline << kSourceBits | static_cast<uint64_t>(s));
    }
    CHECK(!ready.empty() && static_cast<int64_t>(ready.top() >> kSourceBits) >= n)
        << "position " << n << " of " << period;
    const auto source = static_cast<size_t>(ready.top() & ((uint64_t{1} << kSourceBits) - 1));
    ready.pop();
    dealt[static_cast<size_t>(n - 1)] = static_cast<int32_t>(source);
    ++drawn[source];
    wait(source, n + 1);
  }
  return dealt;
}

}  // namespace galley::data
