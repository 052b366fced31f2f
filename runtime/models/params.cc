#include "runtime/models/params.h"

#include <algorithm>

#include "runtime/base/hash.h"
#include "runtime/base/rng.h"

namespace galley::models {

ParamTable::ParamTable(const plan::ModelCard& card, DType compute) : card_(&card) {
  int64_t offset = 0;
  offsets_.push_back(offset);
  for (const plan::ParamSpec& p : card.params) {
    Shape shape{std::span<const int64_t>(p.shape)};
    const View f32(nullptr, DType::kF32, shape);
    params_.push_back({.weight = View(nullptr, compute, shape), .master = f32, .grad = f32});
    offsets_.push_back(offset += p.elements());
  }
}

void ParamTable::Bind(View weights, View master, View grads) {
  for (int i = 0; i < size(); ++i) {
    layers::Param& p = params_[static_cast<size_t>(i)];
    CHECK(weights.dtype == p.weight.dtype && master.dtype == DType::kF32);
    p.weight = Slice(weights, i);
    p.master = Slice(master, i);
    if (grads.data != nullptr) p.grad = Slice(grads, i);
  }
}

View ParamTable::Slice(View flat, int i) const {
  CHECK_EQ(flat.elements(), elements());
  View part = flat.Rows(offset(i), offset(i + 1) - offset(i));
  return part.Reshape(Shape(std::span<const int64_t>(spec(i).shape)));
}

namespace {

// Elements [begin, begin + n) of a parameter.
void Draw(const plan::ParamSpec& spec, uint64_t seed, int threads, int64_t begin, int64_t n, float* to) {
  if (spec.init != plan::Init::kNormal) {
    std::fill_n(to, n, spec.init == plan::Init::kOnes ? 1.0F : 0.0F);
    return;
  }
  // Every element is a function of its own index, so pieces and threads may be any.
  const Philox normal(seed, Hash64(spec.name));
  const double std = spec.std;
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t k = 0; k < n; ++k) {
    to[k] = static_cast<float>(std * normal.Normal(static_cast<uint64_t>(begin + k)));
  }
}

}  // namespace

void InitWeights(Stream& stream, const ParamTable& table, uint64_t seed, int threads, View weights) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  std::vector<float> piece(static_cast<size_t>(std::min(kPiece, table.elements())));
  for (int i = 0; i < table.size(); ++i) {
    const int64_t end = table.offset(i + 1);
    for (int64_t at = table.offset(i); at < end; at += kPiece) {
      const int64_t n = std::min(kPiece, end - at);
      Draw(table.spec(i), seed, threads, at - table.offset(i), n, piece.data());
      Copy(stream, View(piece.data(), DType::kF32, {n}), weights.Rows(at, n));
    }
  }
}

}  // namespace galley::models
