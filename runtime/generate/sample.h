// Picking the next token from logits.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"

namespace galley::generate {

struct Sampling {
  double temperature = 1;  // logits are divided by it; 0 takes the most likely token, always
  int64_t top_k = 0;       // only the k most likely tokens; 0: all
  double top_p = 1;        // only the most likely tokens whose probabilities first reach this sum
  uint64_t seed = 0;
};

// kInvalidArgument naming the option and what it may be.
absl::Status Check(const Sampling& sampling);

// The token at position `index` of the text: a pure function of its arguments (the random number
// is Philox(seed) at `index`). Equally likely tokens rank by id. REQUIRES: logits not empty and
// finite, `sampling` checked. Top-k is applied first, then top-p on what is left, as
// probabilities of the tempered logits.
int32_t Sample(std::span<const float> logits, const Sampling& sampling, uint64_t index);

}  // namespace galley::generate
