// Megatron's order through plan and loader. That it is Megatron's: tests/megatron_order.
#include "runtime/data/order/megatron_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_replace.h"
#include "runtime/data/order/loader.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLength = 16;

class MegatronOrderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<int32_t> lengths;
    for (int i = 0; i < 300; ++i) lengths.push_back(i * 37 % 50);
    WriteDataset(Path("a"), lengths, 251);
    WriteDataset(Path("b"), std::vector<int32_t>(70, 10), 251, TokenType::kI32);
    config_.train = {{Path("a"), 3}, {Path("b"), 1}};
    config_.split = {90, 10};
    config_.seed = 3;
    config_.sequence_length = kLength;
    config_.vocab = 256;
    config_.needs_valid = true;
    config_.order = std::string(kMegatron014);
    config_.train_samples = config_.run_samples = 1000;
    config_.valid_samples = 40;
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // Samples [first, first + n) by requests of `count`.
  std::vector<int32_t> Read(int64_t first, int64_t n, LoaderOptions options, int64_t count) const {
    auto loader = Loader::Create(*BuildDataPlan(config_), options);
    EXPECT_TRUE(loader.ok()) << loader.status();
    std::vector<int32_t> all;
    for (int64_t at = first; at < first + n; at += count) {
      const int64_t now = std::min(count, first + n - at);
      (*loader)->Request(at, now);
      std::vector<int32_t> tokens(static_cast<size_t>(now * kLength)), labels(tokens.size());
      const absl::Status status = (*loader)->Pop({tokens, labels});
      EXPECT_TRUE(status.ok()) << status;
      for (size_t i = 0; i + 1 < tokens.size(); ++i) {
        if ((i + 1) % kLength == 0) continue;  // the last label is not a token of this sample
        EXPECT_EQ(labels[i], tokens[i + 1]);
      }
      all.insert(all.end(), tokens.begin(), tokens.end());
    }
    return all;
  }
  TempDir dir_;
  DataConfig config_;
};

TEST_F(MegatronOrderTest, AResumeAnywhereReadsTheSameWhateverTheShapeOfTheRun) {
  const std::vector<int32_t> whole = Read(0, 1000, {.max_count = 100}, 100);
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    const auto first = static_cast<int64_t>(random() % 990);
    const int64_t n = std::min<int64_t>(1000 - first, 1 + random() % 60);
    const auto count = static_cast<int64_t>(1 + random() % 9);
    const std::vector<int32_t> part = Read(first, n,
                                           {.samples = {.index_threads = 1 + round % 4},
                                            .max_count = count,
                                            .depth = 3,
                                            .threads = 1 + round % 3},
                                           count);
    const auto from = whole.begin() + first * kLength;
    EXPECT_TRUE(std::equal(part.begin(), part.end(), from, from + n * kLength)) << first << " + " << n;
  }
}

TEST_F(MegatronOrderTest, TokensAreThoseOfTheParts) {
  const std::vector<int32_t> read = Read(0, 200, {.max_count = 10}, 10);
  const DataPlan plan = *BuildDataPlan(config_);
  std::vector<IndexedDataset> sources;
  for (const SourceConfig& source : config_.train) sources.push_back(*IndexedDataset::Open(source.path));
  const auto order = *MakeOrder(plan, Split::kTrain, sources, 1);
  SampleParts parts;
  size_t at = 0;
  std::vector<int64_t> drawn(2, 0);
  for (int64_t sample = 0; sample < 200; ++sample) {
    EXPECT_EQ(order->DrawnBySource(sample), drawn);
    ASSERT_TRUE(order->Locate(sample, parts).ok());
    ++drawn[static_cast<size_t>(parts.source)];
    std::vector<int32_t> tokens;
    for (const Range& range : parts.ranges) {
      EXPECT_GT(range.size(), 0);
      const std::vector<int32_t> part = *sources[static_cast<size_t>(parts.source)].ReadTokens(range);
      tokens.insert(tokens.end(), part.begin(), part.end());
    }
    ASSERT_EQ(tokens.size(), static_cast<size_t>(kLength + 1));
    for (int64_t i = 0; i < kLength; ++i) EXPECT_EQ(tokens[static_cast<size_t>(i)], read[at++]);
  }
  EXPECT_EQ(order->SamplesHash(10, 90), order->SamplesHash(10, 90));
  EXPECT_NE(order->SamplesHash(10, 90), order->SamplesHash(11, 90));
  EXPECT_NE(order->SamplesHash(10, 90), order->SamplesHash(10, 89));
  EXPECT_ERROR(order->Locate(100'000, parts), "of an order of 1000 samples");
}

TEST_F(MegatronOrderTest, TheMemoryOfItsIndicesIsKnownFromThePlan) {
  const DataPlan plan = BuildDataPlan(config_).value();
  int64_t bytes = 0;
  std::vector<IndexedDataset> sources;
  for (const PlannedSource& source : plan.sources)
    sources.push_back(IndexedDataset::Open(source.path).value());
  for (const Split split : {Split::kTrain, Split::kValid}) {
    const auto order = MegatronOrder::Create(plan, split, sources, 2).value();
    for (size_t s = 0; s < sources.size(); ++s) {
      const auto positions = static_cast<int64_t>(order->index(s).document_index().size());
      bytes += 4 * positions + 8 * ((positions + 31) / 32 + 1) + 4 * order->index(s).samples();
    }
    bytes += 2 * order->blend()->size() + 8 * 2;  // and the draws of two sources at its one mark
  }
  EXPECT_EQ(IndexBytes(plan), bytes);
}

TEST_F(MegatronOrderTest, ValidationHasAnOrderOfItsOwn) {
  const std::vector<int32_t> valid = Read(0, 40, {.samples = {.split = Split::kValid}, .max_count = 8}, 8);
  EXPECT_NE(valid, Read(0, 40, {.max_count = 8}, 8));
  EXPECT_ERROR(Loader::Create(*BuildDataPlan(config_), {.samples = {.split = Split::kTest}}).status(),
               "the test split");
}

TEST_F(MegatronOrderTest, ThePlanComesBackWholeFromJson) {
  for (const absl::string_view rules : {kMegatron014, kMegatron010}) {
    config_.order = std::string(rules);
    const DataPlan plan = *BuildDataPlan(config_);
    const std::string json = ToJson(plan);
    EXPECT_THAT(json, HasSubstr("\"samples\":[1000,40,0],\"blended\":true"));
    const absl::StatusOr<DataPlan> read = ParseDataPlan(json);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(ToJson(*read), json);
    EXPECT_EQ(Hash(*read), Hash(plan));
    EXPECT_EQ(read->sources[1].epochs, plan.sources[1].epochs);
    EXPECT_GT(plan.sources[1].epochs[0].epochs, 1);
    for (size_t cut = 0; cut < json.size(); ++cut) EXPECT_FALSE(ParseDataPlan(json.substr(0, cut)).ok());
    const auto with = [&json](const char* from, const char* to) {
      const std::string changed = absl::StrReplaceAll(json, {{from, to}});
      EXPECT_NE(changed, json) << from;
      return ParseDataPlan(changed).status();
    };
    EXPECT_ERROR(with("\"blended\":true", "\"blended\":1"), "blended is not true or false");
    EXPECT_ERROR(with("\"samples\":[1000,", "\"samples\":[-1,"), "samples[0] is not a count");
    EXPECT_ERROR(with("\"separate_last\":[", "\"separate_last\":[true,"), "not a list of three");
    EXPECT_ERROR(with("\"epochs\":[", "\"epochs\":[72057594037927936,"), "not a list of three");
  }
}

TEST_F(MegatronOrderTest, ALongerRunGoesOnOnlyWhereTheOrderStays) {
  const DataPlan saved = *BuildDataPlan(config_);
  DataConfig longer = config_;
  longer.train_samples = longer.run_samples = 1001;
  EXPECT_EQ(Hash(saved), Hash(*BuildDataPlan(longer))) << "the same epochs: the same order, a sample longer";
  EXPECT_TRUE(CheckResume(saved, *BuildDataPlan(longer), 500).ok());
  longer.train_samples = longer.run_samples = 3000;
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(longer), 500), "for a run of 3000 samples");
  EXPECT_TRUE(CheckResume(saved, *BuildDataPlan(longer), 0).ok());
  longer.train_samples = 1000;  // asks as before, which does not last
  EXPECT_ERROR(BuildDataPlan(longer).status(),
               "data.megatron.samples: asking for 1000 gives an order of 1000");

  DataConfig changed = config_;
  changed.train[0].weight = 2;
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 500), "the weight of source 0");
  changed = config_;
  changed.order = std::string(kOrderVersion);
  EXPECT_ERROR(CheckResume(saved, *BuildDataPlan(changed), 500),
               "the order's version was megatron-core-0.14 and is galley-order-v1");
  changed = config_;
  changed.train = {{Path("a"), 1}};
  const DataPlan alone = *BuildDataPlan(changed);
  changed.blend_one_source = true;
  EXPECT_ERROR(CheckResume(alone, *BuildDataPlan(changed), 5), "whether the source is blended was false");
}

TEST_F(MegatronOrderTest, WhatMegatronCouldNotDoIsAnErrorWithARemedy) {
  config_.seed = int64_t{1} << 32;
  EXPECT_ERROR(BuildDataPlan(config_).status(), "data.seed: 4294967296 is none of numpy's");
  config_.seed = 1;
  WriteDataset(Path("empty"), {});
  config_.train.push_back({Path("empty"), 1});
  EXPECT_ERROR(BuildDataPlan(config_).status(), "empty.idx: the train split holds 0 sequences");
  config_.train.pop_back();
  config_.split = {100, 0};
  EXPECT_ERROR(BuildDataPlan(config_).status(), "the valid split holds 0 sequences");
  config_.needs_valid = false;
  EXPECT_TRUE(BuildDataPlan(config_).ok());
}

}  // namespace
}  // namespace galley::data
