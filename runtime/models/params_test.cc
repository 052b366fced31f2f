#include "runtime/models/params.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/tensor/arena.h"

namespace galley::models {
namespace {

using plan::Init;
using plan::ParamSpec;

plan::ModelCard Card(std::vector<ParamSpec> params) {
  plan::ModelCard card;
  card.params = std::move(params);
  return card;
}

std::vector<float> Initialised(const plan::ModelCard& card, int threads, uint64_t seed = 1) {
  ParamTable table(card, DType::kF32);
  Buffer buffer(Device(), table.elements() * 4);
  View flat(buffer.data(), DType::kF32, {table.elements()});
  Stream stream = MakeStream(Device(), threads);
  InitWeights(stream, table, seed, threads, flat);
  auto span = flat.Span<float>();
  return {span.begin(), span.end()};
}

const ParamSpec kMatrix{.name = "m", .shape = {64, 50}, .init = Init::kNormal, .std = 0.02};
const ParamSpec kGain{.name = "g", .shape = {50}, .init = Init::kOnes};
const ParamSpec kBias{.name = "b", .shape = {50}, .init = Init::kZeros};

TEST(ParamTable, LaysParametersOneAfterTheOther) {
  plan::ModelCard card = Card({kGain, kMatrix, kBias});
  ParamTable table(card, DType::kBF16);
  EXPECT_EQ(table.elements(), 50 + 3200 + 50);
  EXPECT_EQ(table.offset(1), 50);
  EXPECT_EQ(table.offset(3), table.elements());
  Buffer w(Device(), table.elements() * 2), m(Device(), table.elements() * 4),
      g(Device(), table.elements() * 4);
  const Shape flat{table.elements()};
  table.Bind(View(w.data(), DType::kBF16, flat), View(m.data(), DType::kF32, flat),
             View(g.data(), DType::kF32, flat));
  EXPECT_EQ(table.at(1)->weight.shape, Shape({64, 50}));
  EXPECT_EQ(static_cast<std::byte*>(table.at(1)->weight.data), w.data() + 100);
  EXPECT_EQ(static_cast<std::byte*>(table.at(1)->master.data), m.data() + 200);
  EXPECT_EQ(static_cast<std::byte*>(table.at(2)->grad.data), g.data() + 4 * 3250);
}

TEST(InitWeights, FollowsTheTable) {
  std::vector<float> w = Initialised(Card({kGain, kMatrix, kBias}), 1);
  double sum = 0, squares = 0;
  for (size_t i = 50; i < 3250; ++i) sum += w[i], squares += static_cast<double>(w[i]) * w[i];
  EXPECT_NEAR(sum / 3200, 0, 0.002);
  EXPECT_NEAR(std::sqrt(squares / 3200), 0.02, 0.001);
  EXPECT_EQ(w[0], 1);
  EXPECT_EQ(w[3250], 0);
}

TEST(InitWeights, DoesNotDependOnThreadsNorOnNeighbours) {
  std::vector<float> one = Initialised(Card({kGain, kMatrix}), 1);
  EXPECT_EQ(one, Initialised(Card({kGain, kMatrix}), 2));
  std::vector<float> alone = Initialised(Card({kMatrix}), 1);
  EXPECT_THAT(alone, testing::ElementsAreArray(one.begin() + 50, one.end()));
  EXPECT_NE(alone, Initialised(Card({kMatrix}), 1, 2));
}

}  // namespace
}  // namespace galley::models
