// Parameters as flat buffers: weights, gradients and optimizer state are all in the order of ModelCard.params
// without gaps, so a range of one buffer means the same parameters in every other.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/layers/param.h"
#include "runtime/plan/params.h"
#include "runtime/tensor/stream.h"

namespace galley::models {

class ParamTable {
 public:
  // Views have shapes and no data until Bind. `card` must outlive the table.
  ParamTable(const plan::ModelCard& card, DType compute);
  ParamTable(const ParamTable&) = delete;
  ParamTable& operator=(const ParamTable&) = delete;

  int size() const { return static_cast<int>(params_.size()); }
  int64_t elements() const { return offsets_.back(); }
  // In elements, of parameter i; offset(size()) is elements().
  int64_t offset(int i) const { return offsets_[static_cast<size_t>(i)]; }
  const plan::ParamSpec& spec(int i) const { return card_->params[static_cast<size_t>(i)]; }
  const layers::Param* at(int i) const { return &params_[static_cast<size_t>(i)]; }

  // Flat buffers of elements(). weights: of the compute type; may be `master` itself. master: f32. grads:
  // f32, or View{} where no backward pass will run.
  void Bind(View weights, View master, View grads);
  // Parameter i's part of a flat buffer, in the parameter's shape.
  View Slice(View flat, int i) const;

 private:
  const plan::ModelCard* card_;
  std::vector<int64_t> offsets_;
  std::vector<layers::Param> params_;
};

// Fills weights (elements() f32) from Philox(seed, hash of the parameter's name): the same bits for every
// rank and thread count, and untouched by parameters added elsewhere in the table. Drawn by `threads` threads
// of the host, piece by piece, and copied by `stream`.
void InitWeights(Stream& stream, const ParamTable& table, uint64_t seed, int threads, View weights);

}  // namespace galley::models
