#include "runtime/models/weights.h"

#include "absl/strings/str_cat.h"
#include "runtime/ops/elementwise.h"

namespace galley::models {

Weights::Weights(const plan::ModelCard& card, const WeightTensors& tensors)
    : card_(card), tensors_(tensors), table_(card_, tensors.compute.dtype) {
  table_.Bind(tensors.compute, tensors.master, tensors.gradients);
}

void Weights::Initialise(Stream& stream, uint64_t seed, int threads) {
  InitWeights(stream, table_, seed, threads, tensors_.master);
  Refresh(stream);
}

// In f32 the copy is the master.
void Weights::Refresh(Stream& stream) {
  if (!shares_master()) ops::Convert(stream, tensors_.master, tensors_.compute);
}

std::vector<checkpoint::Item> Weights::Items() const {
  std::vector<checkpoint::Item> items;
  for (int i = 0; i < table_.size(); ++i) {
    items.push_back(checkpoint::Item::Whole(absl::StrCat("model.", table_.spec(i).name),
                                            table_.Slice(tensors_.master, i)));
  }
  return items;
}

}  // namespace galley::models
