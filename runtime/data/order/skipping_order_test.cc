#include "runtime/data/order/skipping_order.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/file.h"
#include "runtime/data/order/loader.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using testing::ElementsAre;

class SkipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteDataset(JoinPath(dir_.path(), "a"), std::vector<int32_t>(300, 20), 60000);
    WriteDataset(JoinPath(dir_.path(), "b"), std::vector<int32_t>(90, 20), 60000);
  }
  DataPlan Plan(std::vector<Range> skip, const std::string& order = std::string(kOrderVersion)) const {
    auto plan = BuildDataPlan({.train = {{JoinPath(dir_.path(), "a"), 3}, {JoinPath(dir_.path(), "b"), 1}},
                               .split = {1},
                               .sequence_length = 16,
                               .vocab = 60000,
                               .order = order,
                               .skip = std::move(skip),
                               .train_samples = 300,
                               .run_samples = 200});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *std::move(plan);
  }
  std::vector<int32_t> Read(const DataPlan& plan, int64_t count) const {
    auto loader = Loader::Create(plan, {.max_count = count});
    EXPECT_TRUE(loader.ok()) << loader.status();
    (*loader)->Request(0, count);
    std::vector<int32_t> tokens(static_cast<size_t>(count) * 16), labels(tokens.size());
    EXPECT_TRUE((*loader)->Pop({tokens, labels}).ok());
    return tokens;
  }
  static std::vector<int32_t> Part(const std::vector<int32_t>& tokens, int64_t first, int64_t end) {
    return {tokens.begin() + first * 16, tokens.begin() + end * 16};
  }
  TempDir dir_;
};

TEST_F(SkipTest, TheStretchIsLeftOutAndTheRestComesInItsOrder) {
  for (const absl::string_view version : {kOrderVersion, kMegatron014}) {
    const std::string order(version);
    const std::vector<int32_t> whole = Read(Plan({}, order), 200);
    const std::vector<int32_t> skipped = Read(Plan({{40, 60}}, order), 150);
    EXPECT_EQ(Part(skipped, 0, 40), Part(whole, 0, 40)) << order;
    EXPECT_EQ(Part(skipped, 40, 150), Part(whole, 60, 170)) << order;
  }
}

// A second stretch is named by what the run saw then, which had left out the first.
TEST_F(SkipTest, StretchesFollowOneAnotherAsTheRunMetThem) {
  EXPECT_THAT(Plan({{40, 60}, {100, 110}}).skip, ElementsAre(Range{40, 60}, Range{120, 130}));
  EXPECT_THAT(Plan({{40, 60}, {40, 45}}).skip, ElementsAre(Range{40, 65}));
  const std::vector<int32_t> first = Read(Plan({{40, 60}}), 170);
  const std::vector<int32_t> both = Read(Plan({{40, 60}, {100, 110}}), 150);
  EXPECT_EQ(Part(both, 0, 100), Part(first, 0, 100));
  EXPECT_EQ(Part(both, 100, 150), Part(first, 110, 160));
}

TEST_F(SkipTest, ThePlanKeepsItAndAResumeMayAddOneOnlyAhead) {
  const DataPlan none = Plan({}), ahead = Plan({{40, 60}});
  auto again = ParseDataPlan(ToJson(ahead));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->skip, ahead.skip);
  EXPECT_TRUE(CheckResume(none, ahead, 40).ok());
  EXPECT_ERROR(CheckResume(none, ahead, 41), "leaves out up to here was nothing and is samples 40 to 60");
  EXPECT_TRUE(CheckResume(ahead, none, 40).ok());
  EXPECT_ERROR(CheckResume(ahead, none, 41), "was samples 40 to 60 and is nothing");
  EXPECT_TRUE(CheckResume(ahead, Plan({{40, 60}, {41, 50}}), 41).ok());
  EXPECT_ERROR(CheckResume(ahead, Plan({{40, 60}, {40, 50}}), 41), "is samples 40 to 70");
}

TEST_F(SkipTest, HashesAndDrawsAreOfWhatWasRead) {
  const DataPlan plan = Plan({{40, 60}});
  std::vector<IndexedDataset> sources;
  for (const PlannedSource& source : plan.sources) sources.push_back(*IndexedDataset::Open(source.path));
  auto whole = MakeOrder(Plan({}), Split::kTrain, sources, 1);
  auto skipping = MakeOrder(plan, Split::kTrain, sources, 1);
  ASSERT_TRUE(whole.ok() && skipping.ok());
  EXPECT_EQ((*skipping)->SamplesHash(30, 10), (*whole)->SamplesHash(30, 10));
  EXPECT_EQ((*skipping)->SamplesHash(40, 10), (*whole)->SamplesHash(60, 10));
  EXPECT_NE((*skipping)->SamplesHash(35, 10), (*whole)->SamplesHash(35, 10));
  std::vector<int64_t> counted(2, 0);
  SampleParts parts;
  for (int64_t n = 0; n < 120; ++n) {
    EXPECT_EQ((*skipping)->DrawnBySource(n), counted) << n;
    ASSERT_TRUE((*skipping)->Locate(n, parts).ok());
    ++counted[static_cast<size_t>(parts.source)];
  }
}

TEST_F(SkipTest, StretchesReadEndWithTheLastSample) {
  const std::vector<Range> skip = {{0, 5}, {40, 60}};
  EXPECT_THAT(StretchesRead(skip, 0), ElementsAre());
  EXPECT_THAT(StretchesRead(skip, 35), ElementsAre(Range{5, 40}));
  EXPECT_THAT(StretchesRead(skip, 36), ElementsAre(Range{5, 40}, Range{60, 61}));
  EXPECT_THAT(StretchesRead({}, 7), ElementsAre(Range{0, 7}));
}

TEST_F(SkipTest, BadStretchesAreNamed) {
  DataConfig config{.train = {{JoinPath(dir_.path(), "a"), 1}}, .sequence_length = 16};
  config.skip = {{10, 10}};
  EXPECT_ERROR(BuildDataPlan(config).status(), "data.skip[0]: samples 10 to 10");
  config.skip = {{10, 20}, {5, 30}};
  EXPECT_ERROR(BuildDataPlan(config).status(), "data.skip[1]: samples 5 to 30");
}

// Dummy data: no file, the same for the same seed, within the vocabulary, another in validation.
TEST(Dummy, IsAFunctionOfSeedSplitAndSample) {
  const auto read = [](int64_t seed, Split split, int64_t first) {
    auto plan = BuildDataPlan(
        {.train = {}, .seed = seed, .sequence_length = 32, .vocab = 50, .order = std::string(kDummyVersion)});
    EXPECT_TRUE(plan.ok()) << plan.status();
    auto again = ParseDataPlan(ToJson(*plan));
    EXPECT_TRUE(again.ok()) << again.status();
    auto loader = Loader::Create(*again, {.samples = {.split = split}, .max_count = 8});
    EXPECT_TRUE(loader.ok()) << loader.status();
    std::vector<int32_t> tokens(8 * 32), labels(tokens.size());
    (*loader)->Request(first, 8);
    EXPECT_TRUE((*loader)->Pop({tokens, labels}).ok());
    for (const int32_t id : tokens) EXPECT_TRUE(id >= 0 && id < 50) << id;
    for (size_t i = 0; i + 1 < 32; ++i) EXPECT_EQ(labels[i], tokens[i + 1]);
    return tokens;
  };
  const std::vector<int32_t> first = read(1, Split::kTrain, 0);
  EXPECT_EQ(read(1, Split::kTrain, 0), first);
  EXPECT_NE(read(2, Split::kTrain, 0), first);
  EXPECT_NE(read(1, Split::kValid, 0), first);
  EXPECT_NE(read(1, Split::kTrain, 8), first);
}

}  // namespace
}  // namespace galley::data
