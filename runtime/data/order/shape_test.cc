// The samples of a step are the same however many ranks share it, whatever their micro-batches and loaders'
// threads are, and wherever they begin: for every order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/data/order/loader.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

constexpr int64_t kLength = 12;
constexpr int64_t kGlobal = 16;
constexpr int64_t kSteps = 40;

struct Way {
  const char* name;
  absl::string_view version;
  std::vector<Range> skip = {};
};

class ShapeTest : public ::testing::TestWithParam<Way> {
 protected:
  ShapeTest() {
    std::vector<int32_t> lengths;
    for (int i = 0; i < 150; ++i) lengths.push_back(i * 29 % 31);
    WriteDataset(JoinPath(dir_.path(), "a"), lengths, 251);
    WriteDataset(JoinPath(dir_.path(), "b"), std::vector<int32_t>(40, 9), 240, TokenType::kI32);
    DataConfig config;
    config.train = {{JoinPath(dir_.path(), "a"), 3}, {JoinPath(dir_.path(), "b"), 2}};
    config.split = {1};
    config.seed = 9;
    config.sequence_length = kLength;
    config.vocab = 256;
    config.order = std::string(GetParam().version);
    config.skip = GetParam().skip;
    config.train_samples = config.run_samples = (kSteps + 10) * kGlobal;
    plan_ = BuildDataPlan(config).value();
  }
  struct Shape {
    int64_t ranks, micro;
    int threads, depth;
  };
  // Inputs and labels of steps [from, to), in the order of the samples.
  std::vector<int32_t> Read(int64_t from, int64_t to, const Shape& shape) const {
    const int64_t row = 2 * kLength;
    std::vector<int32_t> all(static_cast<size_t>((to - from) * kGlobal * row));
    for (int64_t rank = 0; rank < shape.ranks; ++rank) {
      auto loader = Loader::Create(plan_, {.samples = {.index_threads = shape.threads},
                                           .max_count = shape.micro,
                                           .depth = shape.depth,
                                           .threads = shape.threads});
      EXPECT_TRUE(loader.ok()) << loader.status();
      std::vector<int64_t> firsts;
      for (int64_t step = from; step < to; ++step) {
        for (int64_t m = 0; m < kGlobal / shape.micro / shape.ranks; ++m) {
          firsts.push_back(step * kGlobal + (m * shape.ranks + rank) * shape.micro);
        }
      }
      size_t asked = 0;
      std::vector<int32_t> tokens(static_cast<size_t>(shape.micro * kLength)), labels(tokens.size());
      for (const int64_t first : firsts) {
        while ((*loader)->FreeSlots() > 0 && asked < firsts.size())
          (*loader)->Request(firsts[asked++], shape.micro);
        const absl::Status status = (*loader)->Pop({tokens, labels});
        EXPECT_TRUE(status.ok()) << status;
        for (int64_t i = 0; i < shape.micro; ++i) {
          const auto at = all.begin() + (first + i - from * kGlobal) * row;
          std::copy_n(tokens.begin() + i * kLength, kLength, at);
          std::copy_n(labels.begin() + i * kLength, kLength, at + kLength);
        }
      }
    }
    return all;
  }
  TempDir dir_;
  DataPlan plan_;
};
INSTANTIATE_TEST_SUITE_P(Ways, ShapeTest,
                         ::testing::Values(Way{"galley", kOrderVersion},
                                           Way{"skipping", kOrderVersion, {{30, 70}, {200, 201}}},
                                           Way{"packed", kPackedVersion}, Way{"megatron_014", kMegatron014},
                                           Way{"megatron_010", kMegatron010}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ShapeTest, AStepHasTheSameSamplesInEveryShapeFromEveryStepOn) {
  const std::vector<int32_t> whole = Read(0, kSteps, {1, 1, 1, 1});
  std::mt19937 random(GetParam().name[0]);
  const auto one_of = [&](std::initializer_list<int64_t> values) {
    return *(values.begin() + random() % values.size());
  };
  for (int round = 0; round < 40; ++round) {
    const Shape shape{one_of({1, 2, 4, 8}), one_of({1, 2}), static_cast<int>(one_of({1, 2, 3})),
                      static_cast<int>(one_of({1, 2, 5}))};
    const int64_t from = static_cast<int64_t>(random() % kSteps);
    const int64_t to = std::min<int64_t>(kSteps, from + 1 + static_cast<int64_t>(random() % 8));
    const auto at = [](int64_t step) { return step * kGlobal * 2 * kLength; };
    const std::vector<int32_t> expected(whole.begin() + at(from), whole.begin() + at(to));
    ASSERT_EQ(Read(from, to, shape), expected)
        << "steps " << from << " to " << to << ", " << shape.ranks << " ranks, micro-batch " << shape.micro
        << ", " << shape.threads << " threads, " << shape.depth << " requests ahead";
  }
}

}  // namespace
}  // namespace galley::data
