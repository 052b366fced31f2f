#include "runtime/data/megatron/largest_deficit.h"

#include <algorithm>
#include <limits>
#include <map>

#include "runtime/base/check.h"

namespace galley::data {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr size_t kFew = 64;     // groups that need no choice
constexpr int64_t kAhead = 64;  // samples that near groups are gathered for

// How far a source lies behind its share. A fused product and difference would round once and change the
// order: the whole build forbids them (-ffp-contract=off).
double Behind(double weight, double samples, double drawn) {
  const double share = weight * samples;
  return share - drawn;
}

double Samples(int64_t sample) { return std::max(static_cast<double>(sample), 1.0); }

}  // namespace

LargestDeficit::LargestDeficit(std::span<const double> weights) {
  CHECK(!weights.empty());
  std::map<double, size_t> group_of;
  for (size_t s = 0; s < weights.size(); ++s) {
    const auto [found, fresh] = group_of.emplace(weights[s], groups_.size());
    if (fresh) {
      all_.weights.push_back(weights[s]);
      all_.drawn.push_back(0);
      all_.groups.push_back(groups_.size());
      groups_.push_back({});
    }
    groups_[found->second].sources.push_back(s);
    turns_ |= !fresh;
  }
}

// The first group of those that are furthest behind.
LargestDeficit::Choice LargestDeficit::First(const Field& field, double samples) {
  const size_t count = field.weights.size();
  const double* const weights = field.weights.data();
  const double* const drawn = field.drawn.data();
  size_t first = 0;
  double most = -kInfinite;
  for (size_t i = 0; i < count; ++i) {
    const double behind = Behind(weights[i], samples, drawn[i]);
    if (behind > most) {
      most = behind;
      first = i;
    }
  }
  return {first, most};
}

// With what has been drawn, a deficit grows with the sample and, rounded, never shrinks: a group below the
// lower bound at the last sample of a stretch is below it all along, and can be furthest behind only where
// the furthest behind of the others is below it too.
void LargestDeficit::Gather() {
  const size_t count = all_.groups.size();
  const bool few = count <= kFew;
  end_ = few ? kForever : sample_ + kAhead;
  bound_ = few ? -kInfinite : First(all_, Samples(sample_)).behind - margin_;
  near_.weights.clear();
  near_.drawn.clear();
  near_.groups.clear();
  const double last = Samples(end_ - 1);
  for (size_t g = 0; g < count; ++g) {
    if (!few && Behind(all_.weights[g], last, all_.drawn[g]) < bound_) continue;
    near_.weights.push_back(all_.weights[g]);
    near_.drawn.push_back(all_.drawn[g]);
    near_.groups.push_back(g);
  }
}

size_t LargestDeficit::SourceAt(size_t index) const {
  const Group& group = groups_[near_.groups[index]];
  return group.sources[group.turn];
}

size_t LargestDeficit::Next() {
  const double samples = Samples(sample_);
  Choice best{.index = 0, .behind = -kInfinite};
  if (sample_ < end_) best = First(near_, samples);
  if (sample_ >= end_ || best.behind < bound_) {
    // A bound that did not hold for the whole stretch was too near.
    margin_ *= sample_ < end_ ? 1.25 : 0.95;
    Gather();
    best = First(near_, samples);
  }
  if (turns_) {
    // Groups stand in the order of their first sources, not of those whose turn it is.
    for (size_t i = best.index + 1; i < near_.groups.size(); ++i) {
      if (Behind(near_.weights[i], samples, near_.drawn[i]) != best.behind) continue;
      if (SourceAt(i) < SourceAt(best.index)) best.index = i;
    }
  }
  const size_t source = SourceAt(best.index);
  Group& group = groups_[near_.groups[best.index]];
  if (++group.turn == group.sources.size()) {
    group.turn = 0;
    near_.drawn[best.index] += 1;
    all_.drawn[near_.groups[best.index]] = near_.drawn[best.index];
  }
  ++sample_;
  return source;
}

}  // namespace galley::data
