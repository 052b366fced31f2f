// What follows from a failure of an attempt.
#pragma once

#include <iterator>

#include "runtime/base/check.h"
#include "service/run/event.h"

namespace galley::service {

enum class Budget {
  kCounts,  // a failure without progress brings HELD nearer
  kFree,    // never counted
  kHold,    // HELD at once: trying again gives the same
};
struct Consequence {
  Failure failure;
  Budget budget;
  int weight;  // how good the evidence is: of two witnesses of one end the heavier one is believed
};
inline constexpr Consequence kConsequences[] = {
    {Failure::kNone, Budget::kFree, 0},        {Failure::kRankCrash, Budget::kCounts, 3},
    {Failure::kHang, Budget::kCounts, 3},      {Failure::kLost, Budget::kCounts, 1},
    {Failure::kPeerLost, Budget::kCounts, 2},  {Failure::kInternal, Budget::kCounts, 4},
    {Failure::kNumeric, Budget::kHold, 5},     {Failure::kConfig, Budget::kHold, 5},
    {Failure::kStorageFull, Budget::kHold, 5}, {Failure::kPreempted, Budget::kFree, 1},
};
static_assert(std::size(kConsequences) == kFailures);

inline const Consequence& Of(Failure failure) {
  const Consequence& c = kConsequences[static_cast<int>(failure)];
  CHECK(c.failure == failure);
  return c;
}

}  // namespace galley::service
