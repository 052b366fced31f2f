#include "runtime/data/order/packing.h"

#include <algorithm>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/file.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/document_mask.h"
#include "runtime/data/order/loader.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using testing::ElementsAre;

class PackingTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  IndexedDataset Write(const std::vector<int32_t>& lengths) {
    WriteDataset(Path("d"), lengths, 60000);
    auto dataset = IndexedDataset::Open(Path("d"));
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return *std::move(dataset);
  }
  std::vector<std::vector<Range>> Bins(const Packing& packing) {
    std::vector<std::vector<Range>> bins(static_cast<size_t>(packing.bins()));
    for (size_t b = 0; b < bins.size(); ++b) packing.Append(static_cast<int64_t>(b), bins[b]);
    return bins;
  }
  TempDir dir_;
};

TEST_F(PackingTest, EachDocumentGoesWhereItLeavesTheLeastRoom) {
  const IndexedDataset dataset = Write({4, 7, 3, 0, 6, 2});
  auto packing = Packing::Build(dataset, {0, 22}, 9, 1);  // bins of 10
  ASSERT_TRUE(packing.ok()) << packing.status();
  // 7, 6, then 4 to the 6, 3 to the 7, 2 alone.
  EXPECT_THAT(Bins(*packing),
              ElementsAre(ElementsAre(Range{4, 11}, Range{11, 14}), ElementsAre(Range{0, 4}, Range{14, 20}),
                          ElementsAre(Range{20, 22})));
}

TEST_F(PackingTest, ALongDocumentIsCutIntoWindowsThatShareAToken) {
  const IndexedDataset dataset = Write({25, 3});
  auto packing = Packing::Build(dataset, {0, 28}, 9, 1);
  ASSERT_TRUE(packing.ok());
  EXPECT_THAT(Bins(*packing), ElementsAre(ElementsAre(Range{0, 10}), ElementsAre(Range{9, 19}),
                                          ElementsAre(Range{18, 25}, Range{25, 28})));
}

// Random documents and splits: every token comes, no document that fits is cut, bins hold what they may, and
// threads change nothing.
TEST_F(PackingTest, NothingIsLostNothingIsCut) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    const int64_t length = 1 + random() % 40;
    std::vector<int32_t> lengths(1 + random() % 300);
    for (int32_t& l : lengths) l = static_cast<int32_t>(random() % (random() % 8 == 0 ? 200 : 30));
    const IndexedDataset dataset = Write(lengths);
    const int64_t first = static_cast<int64_t>(random() % lengths.size());
    std::vector<int64_t> borders = {0};
    for (const int32_t l : lengths) borders.push_back(borders.back() + l);
    const Range stream{borders[static_cast<size_t>(first)], borders.back()};
    auto packing = Packing::Build(dataset, stream, length, 1 + round % 3);
    ASSERT_TRUE(packing.ok()) << packing.status();
    std::vector<int> seen(static_cast<size_t>(stream.size()), 0);
    std::set<int64_t> begins;
    for (const std::vector<Range>& bin : Bins(*packing)) {
      int64_t filled = 0, before = -1;
      for (const Range& piece : bin) {
        ASSERT_GT(piece.size(), 0);
        ASSERT_GT(piece.begin, before);
        before = piece.begin;
        filled += piece.size();
        begins.insert(piece.begin);
        for (int64_t t = piece.begin; t < piece.end; ++t) ++seen[static_cast<size_t>(t - stream.begin)];
      }
      ASSERT_LE(filled, length + 1);
    }
    for (size_t d = static_cast<size_t>(first); d < lengths.size(); ++d) {
      ASSERT_TRUE(lengths[d] == 0 || begins.contains(borders[d])) << "a document begins a piece";
      const bool fits = lengths[d] <= length + 1;
      for (int64_t t = borders[d]; t < borders[d + 1]; ++t) {
        const int times = seen[static_cast<size_t>(t - stream.begin)];
        const bool shared =
            !fits && t > borders[d] && (t - borders[d]) % length == 0 && t + 1 < borders[d + 1];
        ASSERT_EQ(times, shared ? 2 : 1) << "token " << t << " of a document of " << lengths[d];
      }
    }
  }
}

TEST_F(PackingTest, SamplesArePaddedAndNothingIsPredictedThere) {
  Write(std::vector<int32_t>(50, 6));
  auto plan = BuildDataPlan({.train = {{Path("d"), 1}},
                             .split = {1},
                             .sequence_length = 15,  // two documents and four positions of padding
                             .vocab = 60000,
                             .order = std::string(kPackedVersion)});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->Windows(Split::kTrain), 25);
  auto again = ParseDataPlan(ToJson(*plan));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToJson(*again), ToJson(*plan));
  auto loader = Loader::Create(
      *again, {.samples = {.mask = {.starts = true, .eod_loss = false}, .pad = 7777}, .max_count = 25});
  ASSERT_TRUE(loader.ok()) << loader.status();
  (*loader)->Request(0, 25);
  std::vector<int32_t> tokens(25 * 15), labels(tokens.size()), starts(tokens.size());
  ASSERT_TRUE((*loader)->Pop({tokens, labels, starts}).ok());
  std::set<int32_t> first_tokens;
  for (size_t row = 0; row < tokens.size(); row += 15) {
    for (size_t i = 0; i < 15; ++i) {
      const int32_t token = tokens[row + i];
      if (i >= 12) {
        EXPECT_EQ(token, 7777);
        EXPECT_EQ(starts[row + i], 12);
        EXPECT_EQ(labels[row + i], -1);
        continue;
      }
      EXPECT_EQ(token % 6, static_cast<int32_t>(i % 6));
      EXPECT_EQ(starts[row + i], i < 6 ? 0 : 6);
      EXPECT_EQ(labels[row + i], i % 6 == 5 ? -1 : token + 1);
      if (i % 6 == 0) first_tokens.insert(token);
    }
  }
  EXPECT_EQ(first_tokens.size(), 50u) << "one epoch reads every document once";
}

TEST_F(PackingTest, FilesThatPackOtherwiseAreRefused) {
  Write(std::vector<int32_t>(50, 6));
  auto plan = BuildDataPlan({.train = {{Path("d"), 1}},
                             .split = {1},
                             .sequence_length = 15,
                             .vocab = 60000,
                             .order = std::string(kPackedVersion)});
  ASSERT_TRUE(plan.ok()) << plan.status();
  plan->sources[0].bins[0] = 24;
  EXPECT_ERROR(Loader::Create(*plan, {}).status(), "pack into 25 samples, and the data plan has 24");
}

}  // namespace
}  // namespace galley::data
