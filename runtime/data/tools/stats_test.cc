#include "runtime/data/tools/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/base/file.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;

class StatsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  TempDir dir_;
};

TEST_F(StatsTest, CountsDocumentsLengthsAndTokens) {
  auto writer = *IndexedDatasetWriter::Create(Path("a"), TokenType::kU16,
                                              {.tokenizer = "x", .fingerprint = "", .vocab = 10, .eod = 9});
  for (const std::vector<int32_t>& tokens :
       std::vector<std::vector<int32_t>>{{1, 2, 9}, {}, {9}, {5, 5, 5, 5}, {}}) {
    ASSERT_TRUE(writer->AddDocument(tokens).ok());
  }
  ASSERT_TRUE(writer->AddSequences({{1, 9, 2}}, {{2, 0, 1}}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const DatasetStats stats = *CountDataset(Path("a"), {});
  EXPECT_EQ(stats.documents, 6);
  EXPECT_EQ(stats.sequences, 6);
  EXPECT_EQ(stats.tokens, 11);
  EXPECT_EQ(stats.empty_documents, 2);
  EXPECT_EQ(stats.eod, 9);
  EXPECT_EQ(stats.eod_endings, 2);
  EXPECT_THAT(stats.counts, ElementsAre(0, 2, 2, 0, 0, 4, 0, 0, 0, 3));
  EXPECT_EQ(stats.distinct(), 4);
  EXPECT_THAT(stats.Frequent(3), ElementsAre(TokenCount{5, 4}, TokenCount{9, 3}, TokenCount{1, 2}));
  const LengthStats lengths = stats.lengths.Summary();  // 0 0 1 3 3 4
  EXPECT_EQ(lengths.min, 0);
  EXPECT_EQ(lengths.max, 4);
  EXPECT_EQ(lengths.median, 1);
  EXPECT_EQ(lengths.p99, 4);
  EXPECT_NEAR(lengths.mean, 11.0 / 6, 1e-12);
  EXPECT_THAT(lengths.histogram, ElementsAre(LengthStats::Bin{0, 0, 2}, LengthStats::Bin{1, 1, 1},
                                             LengthStats::Bin{2, 3, 2}, LengthStats::Bin{4, 7, 1}));
  EXPECT_EQ(CountDataset(Path("a"), {.eod = 2})->eod_endings, 1);
}

TEST_F(StatsTest, ThreadsAndParts) {
  std::mt19937 random(3);
  std::vector<int32_t> lengths;
  std::vector<int64_t> sorted;
  for (int d = 0; d < 20001; ++d) {
    lengths.push_back(d == 777 ? (1 << 20) + 5 : static_cast<int32_t>(random() % 40));
    sorted.push_back(lengths.back());
  }
  std::sort(sorted.begin(), sorted.end());
  WriteDataset(Path("a"), lengths, 1000);
  const DatasetStats one = *CountDataset(Path("a"), {.eod = 3, .threads = 1});
  for (const int threads : {2, 7}) {
    const DatasetStats many = *CountDataset(Path("a"), {.eod = 3, .threads = threads});
    EXPECT_EQ(many.counts, one.counts);
    EXPECT_EQ(many.eod_endings, one.eod_endings);
    EXPECT_EQ(many.tokens, one.tokens);
    const LengthStats found = many.lengths.Summary();
    EXPECT_EQ(found.median, sorted[10000]);
    EXPECT_EQ(found.p99, sorted[20001 - 200 - 1]);
    EXPECT_EQ(found.max, (1 << 20) + 5);
    EXPECT_EQ(found.histogram.back(), (LengthStats::Bin{1 << 20, (1 << 21) - 1, 1}));
  }
  DatasetStats sum;
  sum.eod = 3;
  Add(one, sum);
  Add(one, sum);
  EXPECT_EQ(sum.tokens, 2 * one.tokens);
  EXPECT_EQ(sum.lengths.Summary().median, sorted[10000]);
}

TEST_F(StatsTest, IdsThatNoTableHolds) {
  auto writer = *IndexedDatasetWriter::Create(Path("a"), TokenType::kI32);
  ASSERT_TRUE(writer->AddDocument({{-1, 1 << 30, kMaxCountedId, kMaxCountedId - 1}}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const DatasetStats stats = *CountDataset(Path("a"), {});
  EXPECT_EQ(stats.outside, 3);
  EXPECT_EQ(static_cast<int64_t>(stats.counts.size()), kMaxCountedId);
}

TEST_F(StatsTest, DamageIsNamed) {
  WriteDataset(Path("a"), std::vector<int32_t>(5000, 3));
  const std::string idx = ReadText(Path("a.idx"));
  std::string bad = idx;
  bad[34 + 4 * 2500] = 4;
  WriteText(Path("a.idx"), bad);
  EXPECT_ERROR(CountDataset(Path("a"), {.threads = 2}).status(),
               "a.idx: offset 40042: sequence 2501 begins at token 7503");
  WriteText(Path("a.idx"), idx.substr(0, 1000));
  EXPECT_ERROR(CountDataset(Path("a"), {}).status(), "a.idx: offset 18: 5000 sequences do not fit");
}

}  // namespace
}  // namespace galley::data
