#include "runtime/layers/mlp.h"

#include "runtime/ops/swiglu.h"

namespace galley::layers {

void GeluMlp::Lay(Extent extent, Arena& kept, Arena& scratch) {
  const Shape wide{extent.rows, up_.out()};
  before_ = kept.Take(extent.compute, wide);
  after_ = kept.Take(extent.compute, wide);
  dafter_ = scratch.Take(extent.compute, wide);
}

void GeluMlp::Forward(Stream& stream, View x, View y) {
  View before = before_.Rows(0, x.shape[0]), after = after_.Rows(0, x.shape[0]);
  up_.Forward(stream, x, before);
  ops::GeluForward(stream, kind_, before, after);
  down_.Forward(stream, after, y);
}

void GeluMlp::Backward(Stream& stream, View x, View dy, View dx) {
  const int64_t rows = x.shape[0];
  View before = before_.Rows(0, rows), dafter = dafter_.Rows(0, rows);
  down_.Backward(stream, after_.Rows(0, rows), dy, dafter);
  ops::GeluBackward(stream, kind_, before, dafter, before);
  up_.Backward(stream, x, before, dx);
}

void SwigluMlp::Lay(Extent extent, Arena& kept, Arena& scratch) {
  before_ = kept.Take(extent.compute, {extent.rows, gate_up_.out()});
  after_ = kept.Take(extent.compute, {extent.rows, down_.in()});
  dafter_ = scratch.Take(extent.compute, {extent.rows, down_.in()});
}

void SwigluMlp::Forward(Stream& stream, View x, View y) {
  View before = before_.Rows(0, x.shape[0]), after = after_.Rows(0, x.shape[0]);
  gate_up_.Forward(stream, x, before);
  ops::SwigluForward(stream, before, after);
  down_.Forward(stream, after, y);
}

void SwigluMlp::Backward(Stream& stream, View x, View dy, View dx) {
  const int64_t rows = x.shape[0];
  View before = before_.Rows(0, rows), dafter = dafter_.Rows(0, rows);
  down_.Backward(stream, after_.Rows(0, rows), dy, dafter);
  ops::SwigluBackward(stream, before, dafter, before);
  gate_up_.Backward(stream, x, before, dx);
}

}  // namespace galley::layers
