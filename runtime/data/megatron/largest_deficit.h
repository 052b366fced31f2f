// Megatron-Core's rule for a blend: sample n comes from the source that is furthest behind its share, the one
// with the largest w max(n, 1) - (its draws so far), the first on ties. Every product, difference and
// comparison is the plain loop's, so the order is the same to the last bit; it only looks at few sources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace galley::data {

class LargestDeficit {
 public:
  // `weights` sum to about 1. REQUIRES: at least one.
  explicit LargestDeficit(std::span<const double> weights);

  size_t Next();  // the source of the next sample

 private:
  // Sources of equal weight take turns, the first of them first.
  struct Group {
    std::vector<size_t> sources;  // ascending
    size_t turn = 0;              // whose
  };
  // Some groups, ascending. `drawn` is that of the source whose turn it is.
  struct Field {
    std::vector<double> weights, drawn;
    std::vector<size_t> groups;
  };
  struct Choice {
    size_t index = 0;  // in the field
    double behind = 0;
  };
  static Choice First(const Field& field, double samples);
  void Gather();
  size_t SourceAt(size_t index) const;  // of near_, whose turn it is

  std::vector<Group> groups_;
  bool turns_ = false;  // a group has several sources
  Field all_;
  Field near_;  // those that can be furthest behind for some samples to come
  int64_t sample_ = 0;
  double bound_ = 0;  // no group outside near_ reaches it before sample end_
  int64_t end_ = 0;
  double margin_ = 0.5;  // of the bound below the furthest behind
};

}  // namespace galley::data
