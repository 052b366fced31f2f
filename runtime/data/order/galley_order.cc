#include "runtime/data/order/galley_order.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"

namespace galley::data {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA
// 2014): a bijection in which every bit depends on every bit.
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Uniform in [0, n) to within n / 2^64.
uint64_t Below(uint64_t n, uint64_t random) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(random) * n) >> 64);
}

// 6 log2(n) rounds leave an adversary who sees half the permutation no edge (the paper's theorem 3); 24 more
// are for the smallest n, where that says little.
int Rounds(uint64_t n) { return 24 + 6 * std::bit_width(n - 1); }

// Round r pairs i with partner = k - i (mod n), for a random k, and swaps the two or not by a bit that both
// see. It is its own inverse.
uint64_t Round(uint64_t key, uint64_t n, int r, uint64_t i) {
  const uint64_t round_key = Mix(key + static_cast<uint64_t>(r));
  const uint64_t k = Below(n, round_key);
  const uint64_t partner = k >= i ? k - i : k + n - i;
  const uint64_t larger = std::max(i, partner);
  return (Mix(Mix(round_key) ^ larger) >> 63) != 0 ? partner : i;
}

constexpr uint64_t kPermuteWindows = 1;
constexpr uint64_t kRotateOffset = 2;
constexpr size_t kHashBlock = 512;  // samples

}  // namespace

uint64_t Permute(uint64_t key, uint64_t n, uint64_t i) {
  CHECK_LT(i, n);
  const int rounds = Rounds(n);
  for (int r = 0; r < rounds; ++r) i = Round(key, n, r, i);
  return i;
}

uint64_t Unpermute(uint64_t key, uint64_t n, uint64_t i) {
  CHECK_LT(i, n);
  for (int r = Rounds(n) - 1; r >= 0; --r) i = Round(key, n, r, i);
  return i;
}

GalleyOrder::GalleyOrder(const DataPlan& plan, Split split)
    : seed_(static_cast<uint64_t>(plan.seed)),
      split_(static_cast<uint64_t>(split)),
      length_(plan.packed() ? 1 : plan.sequence_length),
      period_(plan.period) {
  std::vector<int64_t> shares;
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    const Range& stream = plan.sources[s].stream[static_cast<size_t>(split)];
    const int64_t windows = plan.Windows(static_cast<int64_t>(s), split);
    CHECK_GT(windows, 0) << plan.sources[s].path << ": " << Name(split);
    shares.push_back(plan.sources[s].share);
    // The windows of a packed source are its bins, whose tokens the packing knows.
    sources_.push_back({plan.packed() ? 0 : stream.begin, windows,
                        plan.packed() ? 0 : stream.size() - 1 - windows * length_, plan.sources[s].share});
  }
  dealt_ = Deal(shares);
  std::vector<int32_t> seen(sources_.size(), 0);
  before_.reserve(dealt_.size());
  for (const int32_t source : dealt_) before_.push_back(seen[static_cast<size_t>(source)]++);
}

uint64_t GalleyOrder::Key(int64_t source, int64_t epoch, uint64_t purpose) const {
  uint64_t key = Mix(seed_);
  for (const uint64_t part : {split_, static_cast<uint64_t>(source), static_cast<uint64_t>(epoch), purpose}) {
    key = Mix(key ^ part);
  }
  return key;
}

SampleLocation GalleyOrder::At(int64_t sample) const {
  CHECK_GE(sample, 0);
  const auto position = static_cast<size_t>(sample % period_);
  SampleLocation at;
  at.source = dealt_[position];
  const Source& source = sources_[static_cast<size_t>(at.source)];
  const int64_t drawn = sample / period_ * source.share + before_[position];
  at.epoch = drawn / source.windows;
  const auto n = static_cast<uint64_t>(source.windows);
  at.window = static_cast<int64_t>(
      Permute(Key(at.source, at.epoch, kPermuteWindows), n, static_cast<uint64_t>(drawn % source.windows)));
  const auto offset = static_cast<int64_t>(
      Below(static_cast<uint64_t>(source.slack + 1), Key(at.source, at.epoch, kRotateOffset)));
  at.token = source.begin + offset + at.window * length_;
  return at;
}

absl::Status GalleyOrder::Locate(int64_t sample, SampleParts& parts) const {
  const SampleLocation at = At(sample);
  parts.source = at.source;
  parts.ranges.assign(1, {at.token, at.token + length_ + 1});
  return absl::OkStatus();
}

std::vector<int64_t> GalleyOrder::DrawnBySource(int64_t consumed) const {
  std::vector<int64_t> drawn;
  for (const Source& source : sources_) drawn.push_back(consumed / period_ * source.share);
  for (int64_t p = 0; p < consumed % period_; ++p) {
    ++drawn[static_cast<size_t>(dealt_[static_cast<size_t>(p)])];
  }
  return drawn;
}

uint64_t GalleyOrder::SamplesHash(int64_t first, int64_t count) const {
  uint64_t ids[2 * kHashBlock];  // a block at a time, each hash the next one's seed: nothing is allocated
  uint64_t hash = 0;
  size_t filled = 0;
  for (int64_t i = 0; i < count; ++i) {
    const SampleLocation at = At(first + i);
    ids[filled++] = static_cast<uint64_t>(at.source);
    ids[filled++] = static_cast<uint64_t>(at.token);
    if (filled == std::size(ids) || i + 1 == count) {
      hash = Hash64(std::as_bytes(std::span(ids, filled)), hash);
      filled = 0;
    }
  }
  return hash;
}

}  // namespace galley::data
