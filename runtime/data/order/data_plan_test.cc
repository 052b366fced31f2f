#include "runtime/data/order/data_plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/base/file.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

TEST(SplitTest, FollowsMegatronCore) {
  const auto ranges = *SplitRanges({949, 50, 1}, 13);
  EXPECT_EQ(ranges[0], (Range{0, 12}));
  EXPECT_EQ(ranges[1], (Range{12, 13}));
  EXPECT_EQ(ranges[2], (Range{13, 13}));
}

TEST(SplitTest, RoundsHalfToEven) {
  EXPECT_EQ((*SplitRanges({1, 1}, 5))[0].end, 2);  // 2.5
  EXPECT_EQ((*SplitRanges({1, 1}, 7))[0].end, 4);  // 3.5
  EXPECT_EQ((*SplitRanges({1, 1}, 7))[2].size(), 0);
}

TEST(SplitTest, CoversAllAndNeverOverlaps) {
  for (int64_t n = 0; n < 300; ++n) {
    const auto ranges = *SplitRanges({0.1, 0.7, 0.2}, n);
    EXPECT_EQ(ranges[0].begin, 0);
    EXPECT_EQ(ranges[0].end, ranges[1].begin);
    EXPECT_EQ(ranges[1].end, ranges[2].begin);
    EXPECT_EQ(ranges[2].end, n);
  }
}

TEST(SplitTest, SharesThatAreNoneAreRefused) {
  EXPECT_ERROR(SplitRanges({}, 5).status(), "0 shares");
  EXPECT_ERROR(SplitRanges({1, 2, 3, 4}, 5).status(), "4 shares");
  EXPECT_ERROR(SplitRanges({1, -2}, 5).status(), "share -2");
  EXPECT_ERROR(SplitRanges({1, std::nan("")}, 5).status(), "share nan");
  EXPECT_ERROR(SplitRanges({0, 0}, 5).status(), "positive, finite sum");
}

class DataPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteDataset(Path("a"), std::vector<int32_t>(100, 20));
    WriteDataset(Path("b"), std::vector<int32_t>(50, 10));
    config_.train = {{Path("a"), 3}, {Path("b"), 1}};
    config_.split = {90, 10};
    config_.seed = 7;
    config_.sequence_length = 16;
    config_.vocab = 256;
    config_.needs_valid = true;
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  TempDir dir_;
  DataConfig config_;
};

TEST_F(DataPlanTest, HoldsSplitsSharesAndFingerprints) {
  const DataPlan plan = *BuildDataPlan(config_);
  EXPECT_EQ(plan.version, "galley-order-v1");
  EXPECT_EQ(plan.sources[0].sequences[0], (Range{0, 90}));
  EXPECT_EQ(plan.sources[0].stream[0], (Range{0, 1800}));
  EXPECT_EQ(plan.sources[0].stream[1], (Range{1800, 2000}));
  EXPECT_EQ(plan.Windows(0, Split::kTrain), 112);  // (1800 - 1) / 16
  EXPECT_EQ(plan.Windows(Split::kValid), 12 + 3);
  EXPECT_EQ(plan.Windows(Split::kTest), 0);
  EXPECT_EQ(plan.sources[0].share * 1, plan.sources[1].share * 3);
  EXPECT_EQ(plan.sources[0].share + plan.sources[1].share, plan.period);
  EXPECT_NE(plan.sources[0].fingerprint, plan.sources[1].fingerprint);
}

TEST_F(DataPlanTest, JsonComesBackWhole) {
  const DataPlan plan = *BuildDataPlan(config_);
  const std::string json = ToJson(plan);
  const absl::StatusOr<DataPlan> read = ParseDataPlan(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), json);
  EXPECT_EQ(Hash(*read), Hash(plan));
  EXPECT_EQ(read->sources[1].stream, plan.sources[1].stream);
}

TEST_F(DataPlanTest, DamagedJsonIsRefused) {
  const std::string json = ToJson(*BuildDataPlan(config_));
  const auto with = [&json](const std::string& from, const std::string& to) {
    std::string changed = json;
    const size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return ParseDataPlan(changed.replace(at, from.size(), to)).status();
  };
  EXPECT_ERROR(with("galley-order-v1", "galley-order-v9"), "order version galley-order-v9 is not known");
  EXPECT_ERROR(with("\"seed\":7", "\"seed\":\"7\""), "seed is not a whole number");
  EXPECT_ERROR(with("\"seed\":7", "\"seed\":18446744073709551615"), "seed is not a whole number");
  EXPECT_ERROR(with("\"sequence_length\":16", "\"sequence_length\":0"), "sequence_length is 0");
  EXPECT_ERROR(with("\"share\":", "\"shore\":"), "share is missing");
  EXPECT_ERROR(with("[0,1800,", "[0,2800,"), "stream steps back");
  EXPECT_ERROR(with("[0,1800,", "[0,1800.5,"), "stream[1] is not a count");
  EXPECT_ERROR(with("\"period\":", "\"period\":1"), "the shares sum to");
  for (size_t cut = 0; cut < json.size(); ++cut) EXPECT_FALSE(ParseDataPlan(json.substr(0, cut)).ok());
}

TEST_F(DataPlanTest, EmptySplitIsAnErrorWhereItIsNeeded) {
  config_.split = {100, 0, 0};
  EXPECT_ERROR(BuildDataPlan(config_).status(), "a.idx: the valid split holds 0 sequences with 0 tokens");
  config_.needs_valid = false;
  EXPECT_TRUE(BuildDataPlan(config_).ok());
  config_.split = {0, 100, 0};
  EXPECT_ERROR(BuildDataPlan(config_).status(), "the train split holds 0 sequences");
  config_.split = {90, 10};
  config_.sequence_length = 2000;
  EXPECT_ERROR(BuildDataPlan(config_).status(), "one sample needs 2001");
}

TEST_F(DataPlanTest, BadSourcesAreNamed) {
  config_.train.push_back({Path("missing"), 1});
  EXPECT_ERROR(BuildDataPlan(config_).status(), "missing.idx: no such file");
  config_.train = {{Path("a"), -1}};
  EXPECT_ERROR(BuildDataPlan(config_).status(), "data.train[0].weight: -1");
  config_.train.clear();
  EXPECT_ERROR(BuildDataPlan(config_).status(), "no source");
}

TEST_F(DataPlanTest, AMovedDataSetIsTheSame) {
  const DataPlan saved = *BuildDataPlan(config_);
  WriteDataset(Path("moved"), std::vector<int32_t>(100, 20));
  config_.train[0].path = Path("moved");
  const DataPlan now = *BuildDataPlan(config_);
  EXPECT_EQ(Hash(saved), Hash(now));
  EXPECT_TRUE(CheckResume(saved, now, 1000).ok());
}

TEST_F(DataPlanTest, AResumeThatWouldReorderIsRefusedWithEachDifference) {
  const DataPlan saved = *BuildDataPlan(config_);
  DataConfig changed = config_;
  changed.seed = 8;
  changed.train[0].weight = 2;
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5),
               "data.seed was 7 and is 8; the weight of source 0");
  EXPECT_TRUE(CheckResume(saved, *BuildDataPlan(changed), 0).ok()) << "nothing was seen yet";
  changed = config_;
  changed.split = {80, 20};
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5),
               "was tokens 0 to 1800 and is tokens 0 to 1600");
  changed.split = {90, 5, 5};
  EXPECT_TRUE(CheckResume(saved, *BuildDataPlan(changed), 5).ok()) << "the training split is the same";
  changed = config_;
  changed.train = {{Path("b"), 3}, {Path("a"), 1}};
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5),
               "put the recipe's data section and its files back");
  changed.train.pop_back();
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5), "the number of sources was 2 and is 1");
  changed = config_;
  changed.sequence_length = 8;
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5), "the sequence length was 16 and is 8");
  changed = config_;
  WriteDataset(Path("b"), std::vector<int32_t>(51, 10));
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 5), "510 tokens, fingerprint");
}

}  // namespace
}  // namespace galley::data
