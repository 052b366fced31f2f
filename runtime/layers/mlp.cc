#include "runtime/layers/mlp.h"

#include "runtime/ops/swiglu.h"

namespace galley::layers {

void GeluMlp::Forward(Stream& stream, const MlpActivations& a, View x, View y) const {
  View before = a.before.Rows(0, x.shape[0]), after = a.after.Rows(0, x.shape[0]);
  up_.Forward(stream, x, before);
  ops::GeluForward(stream, kind_, before, after);
  down_.Forward(stream, after, y);
}

void GeluMlp::Backward(Stream& stream, const MlpActivations& a, View x, View dy, View dx) const {
  const int64_t rows = x.shape[0];
  View before = a.before.Rows(0, rows), dafter = a.dafter.Rows(0, rows);
  down_.Backward(stream, a.after.Rows(0, rows), dy, dafter);
  // Over its own input: nothing else needs it, and (rows, ffn) is the block's largest tensor.
  ops::GeluBackward(stream, kind_, before, dafter, before);
  up_.Backward(stream, x, before, dx);
}

void SwigluMlp::Forward(Stream& stream, const MlpActivations& a, View x, View y) const {
  View before = a.before.Rows(0, x.shape[0]), after = a.after.Rows(0, x.shape[0]);
  gate_up_.Forward(stream, x, before);
  ops::SwigluForward(stream, before, after);
  down_.Forward(stream, after, y);
}

void SwigluMlp::Backward(Stream& stream, const MlpActivations& a, View x, View dy, View dx) const {
  const int64_t rows = x.shape[0];
  View before = a.before.Rows(0, rows), dafter = a.dafter.Rows(0, rows);
  down_.Backward(stream, a.after.Rows(0, rows), dy, dafter);
  ops::SwigluBackward(stream, before, dafter, before);
  gate_up_.Backward(stream, x, before, dx);
}

}  // namespace galley::layers
