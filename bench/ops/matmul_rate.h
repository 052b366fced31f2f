// The reference of the step benchmark: how fast oneDNN's matmul does the products of a model's linear layers,
// each called alone on plain row-major operands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/ops/slices.h"
#include "runtime/tensor/stream.h"

namespace galley::bench {

struct LinearShape {
  std::string name;
  int64_t in = 0;
  int64_t out = 0;
  int64_t rows = 0;   // of one product
  int64_t count = 0;  // products of each kind in one step
};

// GPT-2 124M on `tokens` tokens; the head, whose vocabulary is padded to 50304, in chunks of 256 tokens.
std::vector<LinearShape> Gpt2Shapes(int64_t tokens);

// Adds y = x w^T, dx = dy w and dw += dy^T x of every shape to a run of slices.
class MatmulRate {
 public:
  MatmulRate(Slices& slices, std::vector<LinearShape> shapes, DType dtype, int threads);

  double StepFlops() const;
  // FLOP/s over all products of a step, from the medians (or the bests) of the slices.
  double MedianRate() const;
  double BestRate() const;

 private:
  double StepSeconds(bool best) const;

  Slices& slices_;
  std::vector<LinearShape> shapes_;
  size_t first_;  // of our items in slices_
  CpuStream stream_;
  Arena arena_;
};

}  // namespace galley::bench
