#include "runtime/data/megatron/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

SequenceLengths Of(const std::vector<int32_t>& lengths) {
  return SequenceLengths(std::as_bytes(std::span(lengths)));
}

const std::vector<int32_t> kLengths = {5, 3, 8, 2, 7};

MegatronIndex Golden(int64_t samples) {
  return *MegatronIndex::Build(Of(kLengths), {0, 5}, *PlanEpochs(25, samples, 4), 4, 1234, 2);
}

template <class Value>
std::vector<Value> Rows(const MegatronIndex& index, const std::vector<int32_t>& lengths, int64_t length,
                        int threads) {
  std::vector<Value> rows(2 * (index.shuffle_index().size() + 1));
  BuildSampleIndex<Value>(Of(lengths), index.document_index(), length, threads, rows);
  return rows;
}

std::vector<int32_t> Documents(const MegatronIndex& index) {
  return {index.document_index().begin(), index.document_index().end()};
}

TEST(MegatronIndexTest, OneEpoch) {
  const MegatronIndex index = Golden(6);
  EXPECT_THAT(Documents(index), ElementsAre(4, 0, 1, 2, 3));
  EXPECT_THAT(Rows<int32_t>(index, kLengths, 4, 1), ElementsAre(0, 0, 0, 4, 1, 1, 2, 0, 3, 1, 3, 5, 4, 1));
  EXPECT_THAT(index.shuffle_index(), ElementsAre(5, 2, 3, 1, 0, 4));
}

TEST(MegatronIndexTest, AShortLastEpochIsShuffledByItself) {
  EXPECT_EQ(*PlanEpochs(25, 8, 4),
            (MegatronEpochs{.epochs = 2, .separate_last = true, .samples = 12, .before_last = 6}));
  const MegatronIndex two = Golden(8);
  EXPECT_THAT(Documents(two), ElementsAre(4, 0, 1, 2, 3, 3, 2, 1, 0, 4));
  EXPECT_THAT(Rows<int64_t>(two, kLengths, 4, 2),
              ElementsAre(0, 0, 0, 4, 1, 1, 2, 0, 3, 1, 3, 5, 4, 1, 6, 1, 6, 5, 7, 1, 8, 2, 9, 1, 9, 5));
  EXPECT_THAT(two.shuffle_index(), ElementsAre(0, 4, 3, 2, 5, 1, 7, 6, 9, 8, 11, 10));
  const MegatronIndex three = Golden(14);
  EXPECT_THAT(Documents(three), ElementsAre(2, 2, 4, 1, 0, 3, 4, 0, 1, 3, 0, 4, 3, 2, 1));
  EXPECT_THAT(three.shuffle_index(),
              ElementsAre(7, 11, 2, 3, 1, 9, 5, 4, 0, 8, 6, 10, 17, 13, 16, 15, 12, 14));
}

TEST(MegatronIndexTest, ALongLastEpochIsShuffledWithTheOthers) {
  EXPECT_FALSE(PlanEpochs(25, 18, 4)->separate_last);
  const MegatronIndex index = Golden(18);
  EXPECT_THAT(Documents(index), ElementsAre(3, 1, 0, 2, 4, 2, 0, 2, 1, 4, 3, 4, 0, 1, 3));
  EXPECT_THAT(index.shuffle_index(),
              ElementsAre(7, 10, 4, 1, 11, 8, 3, 14, 13, 12, 17, 15, 2, 6, 9, 0, 5, 16));
}

TEST(MegatronIndexTest, EpochsAreTheFewestThatGiveTheSamples) {
  EXPECT_EQ(PlanEpochs(25, std::nullopt, 4)->epochs, 1);
  EXPECT_EQ(PlanEpochs(25, 0, 4)->epochs, 1);
  EXPECT_EQ(PlanEpochs(25, 6, 4)->epochs, 1);  // 6 * 4 + 1 = 25
  EXPECT_EQ(PlanEpochs(24, 6, 4)->epochs, 2);
  EXPECT_EQ(PlanEpochs(1, 6, 4)->epochs, 25);
  EXPECT_EQ(PlanEpochs(1, 6, 4)->samples, 6);
  // 10^12 + 1 tokens: exact where single precision gives one sample less.
  EXPECT_EQ(PlanEpochs(1'000'000'000'001, std::nullopt, 8192)->samples, 122070312);
  EXPECT_ERROR(PlanEpochs(0, 6, 4).status(), "no token");
  EXPECT_ERROR(PlanEpochs(1, int64_t{1} << 40, 1 << 25).status(), "samples of");
  EXPECT_ERROR(PlanEpochs(int64_t{1} << 50, std::nullopt, 1).status(), "at most 4294967293");
}

// The parts of every sample against the plain reading of all documents one after the other.
TEST(MegatronIndexTest, SamplesAreTheTokensOfTheShuffledDocuments) {
  // Empty sequences at the ends and inside, one longer than several samples.
  const std::vector<int32_t> lengths = {0, 1, 0, 0, 40, 2, 3, 0, 1, 1, 0, 6, 0};
  for (const int64_t length : {1, 2, 5, 17}) {
    const MegatronEpochs epochs = *PlanEpochs(54, 110 / length, length);
    const MegatronIndex index = *MegatronIndex::Build(Of(lengths), {1, 12}, epochs, length, 9, 1);
    std::vector<std::pair<int32_t, int32_t>> stream;
    for (const int32_t document : index.document_index()) {
      for (int32_t i = 0; i < lengths[static_cast<size_t>(document)]; ++i) stream.emplace_back(document, i);
    }
    ASSERT_EQ(static_cast<int64_t>(stream.size()), epochs.epochs * 54);
    for (int64_t at = 0; at < index.samples(); ++at) {
      std::vector<std::pair<int32_t, int32_t>> sample;
      index.Visit(at, [&](const MegatronIndex::Part& part) {
        EXPECT_GT(part.count, 0);
        for (int32_t i = 0; i < part.count; ++i) sample.emplace_back(part.sequence, part.offset + i);
      });
      const auto from = stream.begin() + index.shuffle_index()[static_cast<size_t>(at)] * length;
      EXPECT_THAT(sample, ElementsAreArray(from, from + length + 1));
    }
  }
}

TEST(MegatronIndexTest, ThreadsDoNotMatter) {
  std::vector<int32_t> lengths;
  for (int i = 0; i < 200'000; ++i) lengths.push_back(i * 7919 % 97);
  const int64_t tokens = *SumLengths(Of(lengths), {0, 200'000});
  const MegatronEpochs epochs = *PlanEpochs(tokens, 2 * tokens / 20, 16);
  const MegatronIndex one = *MegatronIndex::Build(Of(lengths), {0, 200'000}, epochs, 16, 3, 1);
  const MegatronIndex four = *MegatronIndex::Build(Of(lengths), {0, 200'000}, epochs, 16, 3, 4);
  EXPECT_EQ(Documents(one), Documents(four));
  EXPECT_EQ(Rows<int32_t>(one, lengths, 16, 1), Rows<int32_t>(four, lengths, 16, 5));
}

TEST(MegatronIndexTest, LengthsThatAreNotThoseOfThePlanAreRefused) {
  const std::vector<int32_t> other = {5, 3, 8, 2, 70};
  EXPECT_ERROR(MegatronIndex::Build(Of(other), {0, 5}, *PlanEpochs(25, 6, 4), 4, 1, 1).status(),
               "hold 88 tokens in 1 epochs, not those of the data plan");
  const std::vector<int32_t> negative = {5, 3, -8};
  EXPECT_ERROR(SumLengths(Of(negative), {0, 3}).status(), "the length of sequence 2 is -8");
}

}  // namespace
}  // namespace galley::data
