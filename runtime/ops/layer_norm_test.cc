#include "runtime/ops/layer_norm.h"

#include "runtime/ops/op_test.h"

namespace galley::ops {
namespace {

constexpr double kEps = 1e-5;

struct Norm {
  Doubles y, normal, inv_std;
};

Norm Reference(const Doubles& x, const Doubles& gain, const Doubles& bias) {
  size_t dim = gain.size(), rows = x.size() / dim;
  Norm out{Doubles(x.size()), Doubles(x.size()), Doubles(rows)};
  for (size_t r = 0; r < rows; ++r) {
    double mean = 0, var = 0;
    for (size_t i = 0; i < dim; ++i) mean += x[r * dim + i] / static_cast<double>(dim);
    for (size_t i = 0; i < dim; ++i) {
      var += (x[r * dim + i] - mean) * (x[r * dim + i] - mean) / static_cast<double>(dim);
    }
    out.inv_std[r] = 1 / std::sqrt(var + kEps);
    for (size_t i = 0; i < dim; ++i) {
      double n = (x[r * dim + i] - mean) * out.inv_std[r];
      out.normal[r * dim + i] = n;
      out.y[r * dim + i] = n * gain[i] + bias[i];
    }
  }
  return out;
}

struct Gradients {
  Doubles dx, dgain, dbias;
};

Gradients ReferenceBackward(const Norm& norm, const Doubles& gain, const Doubles& dy) {
  size_t dim = gain.size(), rows = dy.size() / dim;
  Gradients out{Doubles(dy.size()), Doubles(dim), Doubles(dim)};
  for (size_t r = 0; r < rows; ++r) {
    double mean_g = 0, mean_gn = 0;
    for (size_t i = 0; i < dim; ++i) {
      double d = dy[r * dim + i], n = norm.normal[r * dim + i];
      out.dgain[i] += d * n;
      out.dbias[i] += d;
      mean_g += d * gain[i] / static_cast<double>(dim);
      mean_gn += d * gain[i] * n / static_cast<double>(dim);
    }
    for (size_t i = 0; i < dim; ++i) {
      out.dx[r * dim + i] =
          norm.inv_std[r] * (dy[r * dim + i] * gain[i] - mean_g - norm.normal[r * dim + i] * mean_gn);
    }
  }
  return out;
}

class LayerNormTest : public OpTest {};

TEST_P(LayerNormTest, AgreesWithDoubleAndItsDerivative) {
  for (auto [rows, dim, gap] : {std::array<int64_t, 3>{5, 37, 3}, {1, 16, 0}, {3, 1000, 0}}) {
    // A mean far from zero, where a one-pass variance would lose its digits.
    Doubles x = Random(rows * dim, 1, 1.0, 8.0), gain = Random(dim, 2, 0.5, 1.0), bias = Random(dim, 3);
    Doubles dy = Random(rows * dim, 4), skip = Random(rows * dim, 5);
    Norm norm = Reference(x, gain, bias);
    Gradients want = ReferenceBackward(norm, gain, dy);
    auto f = [&](const Doubles& v) { return Reference(v, gain, bias).y; };
    ExpectDerivative(f, x, dy, want.dx, "dx");
    ExpectDerivative([&](const Doubles& v) { return Reference(x, v, bias).y; }, gain, dy, want.dgain,
                     "dgain");
    ExpectDerivative([&](const Doubles& v) { return Reference(x, gain, v).y; }, bias, dy, want.dbias,
                     "dbias");

    for (DType parameter : {DType::kF32, dtype()}) {
      Tensor tx(dtype(), rows, dim, x, gap), y(dtype(), rows, dim, gap), tdy(dtype(), rows, dim, dy, gap);
      Tensor g(parameter, 1, dim, gain), b(parameter, 1, dim, bias);
      Tensor mean(DType::kF32, 1, rows), inv(DType::kF32, 1, rows);
      Tensor dx(dtype(), rows, dim, gap), dg(DType::kF32, 1, dim), db(DType::kF32, 1, dim);
      LayerNormForward(stream_, tx.view(), g.vector(), b.vector(), static_cast<float>(kEps), y.view(),
                       mean.vector(), inv.vector());
      ExpectClose(y.Get(), norm.y, tolerance(), "y");
      LayerNormBackward(stream_, tx.view(), g.vector(), mean.vector(), inv.vector(), tdy.view(), View{},
                        dx.view(), dg.vector(), db.vector());
      ExpectClose(dx.Get(), want.dx, tolerance(), "dx");
      ExpectClose(dg.Get(), want.dgain, exact(), "dgain");
      ExpectClose(db.Get(), want.dbias, exact(), "dbias");

      // With the branch that skips the norm, written over that branch's own memory; parameters gather.
      dx.Set(skip);
      LayerNormBackward(stream_, tx.view(), g.vector(), mean.vector(), inv.vector(), tdy.view(), dx.view(),
                        dx.view(), dg.vector(), db.vector());
      Doubles sum = want.dx, twice = want.dgain;
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += skip[i];
      for (double& v : twice) v *= 2;
      ExpectClose(dx.Get(), sum, tolerance(), "dx with the skip branch");
      ExpectClose(dg.Get(), twice, exact(), "dgain, twice");
    }
  }
}

INSTANTIATE_OPS(LayerNormTest);

}  // namespace
}  // namespace galley::ops
