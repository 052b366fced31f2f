// A model's weights in memory: f32 master, the copy in the compute type that matrix products read, gradients,
// and the table that gives each parameter its part of them. Training and generation use the same.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/models/memory.h"
#include "runtime/models/params.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

class Weights {
 public:
  // tensors: bound, of the card's parameters (AllocateEngine).
  Weights(const plan::ModelCard& card, const WeightTensors& tensors);
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  const ParamTable& table() const { return table_; }
  View master() const { return tensors_.master; }
  View gradients() const { return tensors_.gradients; }
  // What an optimizer writes beside the master weights: View{} where that is the master itself.
  View rounded() const { return shares_master() ? View{} : tensors_.compute; }

  // From the seed (InitWeights), and Refresh.
  void Initialise(Stream& stream, uint64_t seed, int threads);
  // After the master was written: rounds it into the compute copy.
  void Refresh(Stream& stream);

  // "model.<name>", f32 master weights, in table order: what checkpoints hold.
  std::vector<checkpoint::Item> Items() const;

 private:
  bool shares_master() const { return tensors_.compute.dtype == DType::kF32; }

  const plan::ModelCard card_;
  const WeightTensors tensors_;
  ParamTable table_;
};

}  // namespace galley::models
