// Megatron-Core's blend of several sources, bit for bit. Rules: docs/formats/data-order.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace galley::data {

// How many samples a blend asks of its sources, and how many it holds. Megatron-Core changed this after 0.10,
// and with it the order where it changes a source's epochs.
enum class MegatronSurplus {
  kCore014,  // asks for ceil(ceil(size w) 1.005), holds the sum of ceil(size w)
  kCore010,  // asks for ceil(size w 1.005), holds the sum of that
};

// numpy's sum of doubles: in pairs, so that its rounding is numpy's.
double NumpySum(std::span<const double> values);

// values / NumpySum(values).
std::vector<double> Normalized(std::span<const double> weights);

struct BlendCounts {
  std::vector<int64_t> asked;  // of each source
  int64_t size = 0;            // of the blend
};
// `weights` as the user gives them.
BlendCounts CountBlend(std::span<const double> weights, int64_t samples, MegatronSurplus surplus);

// Which source each sample is drawn from: the one furthest behind its share, the first on ties. Immutable and
// thread-safe once built. Holds 2 bytes a sample, and at most as much again for marks.
class MegatronBlend {
 public:
  // The greedy rule over `size` samples. `weights` as the user gives them; they are normalised twice, as
  // Megatron does. REQUIRES: 1 to 32766 of them, all positive.
  static MegatronBlend Build(std::span<const double> weights, int64_t size);
  static int64_t Bytes(size_t sources, int64_t size);  // of memory

  std::span<const int16_t> sources() const { return sources_; }  // of each sample
  int64_t size() const { return static_cast<int64_t>(sources_.size()); }
  struct Draw {
    int64_t source = 0;
    int64_t index = 0;  // how many were drawn from that source before
    bool operator==(const Draw&) const = default;
  };
  Draw At(int64_t sample) const;
  std::vector<int64_t> DrawnBefore(int64_t sample) const;  // of each source; sample <= size()

 private:
  MegatronBlend(size_t sources, int64_t size);
  void Emit(size_t source);

  size_t count_;  // of sources
  int64_t mark_;  // samples from mark to mark
  std::vector<int16_t> sources_;
  std::vector<int64_t> marks_;  // draws of each source before every mark_-th sample
  std::vector<int64_t> drawn_;  // of each source so far
};

}  // namespace galley::data
