// bench-blend [SOURCES [SAMPLES [ROUNDS]]]: deals a blend of SOURCES by Megatron's rule, a slice
// of SAMPLES by data::LargestDeficit and the same slice by the plain loop over all sources, in
// turn, and prints nanoseconds a sample of both. Weights spread over a factor of about 10, all
// different. Fails when the two differ.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "runtime/base/rng.h"
#include "runtime/data/megatron/blend.h"
#include "runtime/data/megatron/largest_deficit.h"

namespace galley {
namespace {

class Plain {
 public:
  explicit Plain(std::vector<double> weights) : weights_(std::move(weights)), drawn_(weights_.size(), 0) {}
  size_t Next() {
    const double samples = std::max(static_cast<double>(sample_++), 1.0);
    size_t first = 0;
    double most = weights_[0] * samples - drawn_[0];
    for (size_t s = 1; s < weights_.size(); ++s) {
      const double behind = weights_[s] * samples - drawn_[s];
      if (behind > most) {
        most = behind;
        first = s;
      }
    }
    drawn_[first] += 1;
    return first;
  }

 private:
  std::vector<double> weights_, drawn_;
  int64_t sample_ = 0;
};

// Nanoseconds a sample.
template <class Dealer>
double Slice(Dealer& dealer, std::vector<size_t>& out) {
  const auto start = std::chrono::steady_clock::now();
  for (size_t& source : out) source = dealer.Next();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return 1e9 * seconds / static_cast<double>(out.size());
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Run(size_t sources, size_t samples, int rounds) {
  const Philox rng(5, 0);
  std::vector<double> weights;
  for (uint64_t s = 0; s < sources; ++s)
    weights.push_back(0.1 + static_cast<double>(rng.At(s)[0]) / 4294967296.0);
  const std::vector<double> shares = data::Normalized(data::Normalized(weights));
  data::LargestDeficit deficits(shares);
  Plain plain(shares);
  std::vector<size_t> a(samples), b(samples);
  std::vector<double> ours, theirs;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(Slice(deficits, a));
    theirs.push_back(Slice(plain, b));
    if (a == b) continue;
    fprintf(stderr, "bench-blend: the two orders differ in round %d\n", round);
    return 1;
  }
  printf("%zu sources: %.0f ns a sample, the plain loop %.0f (medians of %d slices of %zu); %.1f times\n",
         sources, Median(ours), Median(theirs), rounds, samples, Median(theirs) / Median(ours));
  return 0;
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  return galley::Run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2000,
                     argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000,
                     argc > 3 ? std::atoi(argv[3]) : 15);
}
