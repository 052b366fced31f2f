// `order: galley`: which window of which source sample n of a split is, found in constant time. Rules and
// guarantees: docs/formats/data-order.md.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/order.h"

namespace galley::data {

struct SampleLocation {
  int64_t source = 0;
  int64_t epoch = 0;   // of that source
  int64_t window = 0;  // in the split
  int64_t token = 0;   // first of T + 1 tokens, in the source's stream; of a packed source: the window
  bool operator==(const SampleLocation&) const = default;
};

// A keyed permutation of [0, n): the swap-or-not shuffle (Hoang, Morris, Rogaway, "An Enciphering Scheme
// Based on a Card Shuffle", CRYPTO 2012). No table, any n.
uint64_t Permute(uint64_t key, uint64_t n, uint64_t i);
uint64_t Unpermute(uint64_t key, uint64_t n, uint64_t i);  // its inverse

// Deals `period` samples to sources by their shares (which sum to it): Tijdeman's rule ("The chairman
// assignment problem", 1980). After every prefix each source has its share to within less than one sample.
std::vector<int32_t> Deal(const std::vector<int64_t>& shares);

// Whole-number shares for weights: proportional, largest remainders first, none below 1.
// kInvalidArgument for a weight that is not a positive finite number.
absl::StatusOr<std::vector<int64_t>> SharesOf(const std::vector<double>& weights);

class GalleyOrder final : public Order {
 public:
  // REQUIRES: plan.Windows(source, split) > 0 for every source (BuildDataPlan sees to it).
  GalleyOrder(const DataPlan& plan, Split split);

  SampleLocation At(int64_t sample) const;
  absl::Status Locate(int64_t sample, SampleParts& parts) const override;
  std::vector<int64_t> DrawnBySource(int64_t consumed) const override;
  // Over source and first token of each sample.
  uint64_t SamplesHash(int64_t first, int64_t count) const override;

 private:
  struct Source {
    int64_t begin = 0;  // of the split, in tokens
    int64_t windows = 0;
    int64_t slack = 0;  // tokens after the last window: the windows' offset rotates through them by epoch
    int64_t share = 0;
  };
  uint64_t Key(int64_t source, int64_t epoch, uint64_t purpose) const;

  uint64_t seed_;
  uint64_t split_;
  int64_t length_;
  int64_t period_;
  std::vector<Source> sources_;
  std::vector<int32_t> dealt_;   // source of each position in the period
  std::vector<int32_t> before_;  // how often that source stands earlier in the period
};

}  // namespace galley::data
