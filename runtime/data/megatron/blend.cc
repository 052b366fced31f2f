#include "runtime/data/megatron/blend.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "runtime/base/check.h"
#include "runtime/data/megatron/largest_deficit.h"

namespace galley::data {
namespace {

constexpr size_t kMaxSources = 32766;

// Samples from mark to mark. A mark has 8 bytes a source, a sample 2: at four samples a source the marks take
// no more memory than the samples, and few sources still have far fewer marks.
int64_t MarkOf(size_t sources) {
  return static_cast<int64_t>(std::bit_ceil(std::max<size_t>(4096, 4 * sources)));
}

}  // namespace

// The order of numpy's pairwise sum: eight sums side by side up to 128 values, above that two halves, the
// first of a multiple of 8. Every other order rounds otherwise, and a share's last bit can move a sample.
double NumpySum(std::span<const double> values) {
  const size_t n = values.size();
  if (n < 8) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum;
  }
  if (n > 128) {
    const size_t half = n / 2 - n / 2 % 8;
    return NumpySum(values.first(half)) + NumpySum(values.subspan(half));
  }
  double r[8];
  std::copy_n(values.begin(), 8, r);
  size_t i = 8;
  for (; i < n - n % 8; i += 8) {
    for (size_t k = 0; k < 8; ++k) r[k] += values[i + k];
  }
  double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; ++i) sum += values[i];
  return sum;
}

std::vector<double> Normalized(std::span<const double> weights) {
  const double sum = NumpySum(weights);
  std::vector<double> shares(weights.begin(), weights.end());
  for (double& share : shares) share /= sum;
  return shares;
}

BlendCounts CountBlend(std::span<const double> weights, int64_t samples, MegatronSurplus surplus) {
  BlendCounts counts;
  const auto up = [](double value) { return static_cast<int64_t>(std::ceil(value)); };
  for (const double weight : Normalized(weights)) {
    const double share = static_cast<double>(samples) * weight;
    if (surplus == MegatronSurplus::kCore010) {
      counts.asked.push_back(up(share * 1.005));
      counts.size += counts.asked.back();
    } else {
      counts.asked.push_back(up(static_cast<double>(up(share)) * (1 + 0.005)));
      counts.size += up(share);
    }
  }
  return counts;
}

MegatronBlend::MegatronBlend(size_t sources, int64_t size)
    : count_(sources), mark_(MarkOf(sources)), drawn_(sources, 0) {
  CHECK(sources > 0 && sources <= kMaxSources && size >= 0) << sources;
  sources_.reserve(static_cast<size_t>(size));
  marks_.reserve(static_cast<size_t>(size / mark_ + 1) * sources);
}

int64_t MegatronBlend::Bytes(size_t sources, int64_t size) {
  return size * static_cast<int64_t>(sizeof(int16_t)) +
         (size / MarkOf(sources) + 1) * static_cast<int64_t>(sources * sizeof(int64_t));
}

void MegatronBlend::Emit(size_t source) {
  if (size() % mark_ == 0) marks_.insert(marks_.end(), drawn_.begin(), drawn_.end());
  sources_.push_back(static_cast<int16_t>(source));
  ++drawn_[source];
}

MegatronBlend MegatronBlend::Build(std::span<const double> weights, int64_t size) {
  MegatronBlend blend(weights.size(), size);
  LargestDeficit deficits(Normalized(Normalized(weights)));
  for (int64_t n = 0; n < size; ++n) blend.Emit(deficits.Next());
  return blend;
}

MegatronBlend::Draw MegatronBlend::At(int64_t sample) const {
  CHECK(sample >= 0 && sample < size()) << sample << " of " << size();
  const auto at = static_cast<size_t>(sample);
  const size_t block = at / static_cast<size_t>(mark_);
  const int16_t source = sources_[at];
  int64_t index = marks_[block * count_ + static_cast<size_t>(source)];
  for (size_t i = block * static_cast<size_t>(mark_); i < at; ++i) index += sources_[i] == source;
  return {source, index};
}

std::vector<int64_t> MegatronBlend::DrawnBefore(int64_t sample) const {
  CHECK(sample >= 0 && sample <= size()) << sample << " of " << size();
  if (sample == size()) return drawn_;
  const auto at = static_cast<size_t>(sample);
  const size_t block = at / static_cast<size_t>(mark_);
  const auto from = marks_.begin() + static_cast<int64_t>(block * count_);
  std::vector<int64_t> drawn(from, from + static_cast<int64_t>(count_));
  for (size_t i = block * static_cast<size_t>(mark_); i < at; ++i) ++drawn[static_cast<size_t>(sources_[i])];
  return drawn;
}

}  // namespace galley::data
