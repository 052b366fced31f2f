// What checkpoints record of the sources: it must be what the orders really drew.
#include "runtime/data/order/lineage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kLength = 8;

class LineageTest : public ::testing::TestWithParam<absl::string_view> {
 protected:
  LineageTest() {
    WriteDataset(JoinPath(dir_.path(), "a"), std::vector<int32_t>(40, 20));
    WriteDataset(JoinPath(dir_.path(), "b"), std::vector<int32_t>(10, 33));
    DataConfig config;
    config.train = {{JoinPath(dir_.path(), "a"), 2}, {JoinPath(dir_.path(), "b"), 1}};
    config.split = {1};
    config.seed = 4;
    config.sequence_length = kLength;
    config.vocab = 256;
    config.order = std::string(GetParam());
    config.train_samples = config.run_samples = 400;
    plan_ = BuildDataPlan(config).value();
    for (const PlannedSource& source : plan_.sources)
      sources_.push_back(IndexedDataset::Open(source.path).value());
    order_ = MakeOrder(plan_, Split::kTrain, sources_, 2).value();
  }
  Lineage Of(const std::vector<Range>& samples) const { return MakeLineage(plan_, *order_, samples); }
  // By looking at every sample.
  std::vector<int64_t> Drawn(Range samples) const {
    std::vector<int64_t> drawn(plan_.sources.size(), 0);
    SampleParts parts;
    for (int64_t n = samples.begin; n < samples.end; ++n) {
      EXPECT_TRUE(order_->Locate(n, parts).ok());
      ++drawn[static_cast<size_t>(parts.source)];
    }
    return drawn;
  }
  TempDir dir_;
  DataPlan plan_;
  std::vector<IndexedDataset> sources_;
  std::unique_ptr<Order> order_;
};
INSTANTIATE_TEST_SUITE_P(Orders, LineageTest, ::testing::Values(kOrderVersion, kMegatron014),
                         [](const auto& info) {
                           return info.param == kOrderVersion ? "galley" : "megatron";
                         });

TEST_P(LineageTest, CountsWhatTheOrderDrewAndComesBackFromItsText) {
  for (const int64_t consumed : {1, 7, 100, 399}) {
    const Lineage lineage = ParseLineage(ToJson(Of({{0, consumed}}))).value();
    EXPECT_EQ(lineage.order, GetParam());
    EXPECT_EQ(lineage.samples, consumed);
    EXPECT_EQ(lineage.tokens, consumed * kLength);
    const std::vector<int64_t> drawn = Drawn({0, consumed});
    for (size_t s = 0; s < drawn.size(); ++s) {
      const SourceLineage& source = lineage.sources[s];
      EXPECT_EQ(source.path, plan_.sources[s].path);
      EXPECT_EQ(source.fingerprint, plan_.sources[s].fingerprint);
      EXPECT_EQ(source.samples, drawn[s]) << consumed;
      EXPECT_EQ(source.tokens, drawn[s] * kLength);
      const std::vector<Range> all(drawn[s] > 0 ? 1 : 0, Range{0, drawn[s]});
      EXPECT_EQ(source.draws, all);
    }
  }
  const Lineage none = ParseLineage(ToJson(Of({}))).value();
  EXPECT_EQ(none.samples, 0);
  EXPECT_TRUE(none.sources[1].draws.empty());
}

TEST_P(LineageTest, SamplesThatWerePassedOverLeaveAGap) {
  const Lineage lineage = Of({{0, 50}, {80, 120}});
  EXPECT_EQ(lineage.samples, 90);
  const auto first = Drawn({0, 50}), gap = Drawn({50, 80}), last = Drawn({80, 120});
  for (size_t s = 0; s < first.size(); ++s) {
    const int64_t again = first[s] + gap[s];
    EXPECT_THAT(lineage.sources[s].draws, ElementsAre(Range{0, first[s]}, Range{again, again + last[s]}));
    EXPECT_EQ(lineage.sources[s].samples, first[s] + last[s]);
  }
  EXPECT_EQ(Of({{0, 50}, {50, 120}}).sources[0].draws.size(), 1u);
}

TEST_P(LineageTest, SaysWhichEpochASourceHasReached) {
  // Source b: 330 tokens an epoch, a third of 390 samples.
  const SourceLineage b = Of({{0, 390}}).sources[1];
  ASSERT_NEAR(static_cast<double>(b.samples), 130, 1);
  if (GetParam() == kOrderVersion) {
    EXPECT_EQ(b.epochs, b.samples / 41);
    EXPECT_EQ(b.position, b.samples % 41);
  } else {
    // 135 asked with the surplus: four epochs, of which the last stands by itself: it needs 12 of 41.
    ASSERT_EQ(plan_.sources[1].epochs[0].epochs, 4);
    ASSERT_TRUE(plan_.sources[1].epochs[0].separate_last);
    EXPECT_EQ(b.epochs, 3);
    EXPECT_EQ(b.position, b.samples - (3 * 330 - 1) / 8);
    EXPECT_EQ(Of({{0, 300}}).sources[1].epochs, 0);
  }
}

TEST(LineageTextTest, DamagedTextIsRefused) {
  const std::string good =
      R"({"order":"o","samples":1,"tokens":2,"sources":[{"path":"p","fingerprint":"f","samples":1,)"
      R"("tokens":2,"draws":[[0,1]],"epochs":0,"position":1}]})";
  ASSERT_TRUE(ParseLineage(good).ok()) << ParseLineage(good).status();
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"[[0,1]]", "[[1,1]]"},
           {"[[0,1]]", "[[0,2],[2,3]]"},
           {"[[0,1]]", "[0]"},
           {"[[0,1]]", "7"},
           {"\"epochs\":0", "\"epochs\":-1"},
           {"\"path\"", "\"way\""},
           {"{\"order\"", "[{\"order\""},
           {"\"tokens\":2,\"sources\"", "\"tokens\":18446744073709551615,\"sources\""}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_TRUE(absl::IsDataLoss(ParseLineage(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace galley::data
