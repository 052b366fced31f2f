#include "runtime/data/order/document_mask.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/file.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using testing::ElementsAre;

TEST(DocumentMask, ByTokensTheEodIsTheLastOfItsDocument) {
  const std::vector<int32_t> tokens = {7, 0, 5, 6, 0, 0, 8};
  std::vector<int32_t> starts(7), positions(7), labels = {0, 5, 6, 0, 0, 8};
  StartsByEod(tokens, 0, starts);
  EXPECT_THAT(starts, ElementsAre(0, 0, 2, 2, 2, 5, 6));
  PositionsOf(starts, positions);
  EXPECT_THAT(positions, ElementsAre(0, 1, 0, 1, 2, 0, 0));
  MaskLastPositions(starts, labels);
  EXPECT_THAT(labels, ElementsAre(0, -1, 6, 0, -1, -1)) << "the eod is predicted, what follows it is not";
}

// Every window of data sets with empty documents and documents
// of several sequences, against a walk over all documents.
TEST(DocumentMask, ByIndexEqualsAWalkOverAllDocuments) {
  const TempDir folder;
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    const std::string prefix = JoinPath(folder.path(), "d" + std::to_string(round));
    auto writer = IndexedDatasetWriter::Create(prefix, TokenType::kU16);
    ASSERT_TRUE(writer.ok());
    std::vector<int32_t> document_of;  // by token
    for (int32_t d = 0; d < 12; ++d) {
      std::vector<int32_t> lengths, tokens;
      for (uint32_t s = random() % 3; s > 0; --s) lengths.push_back(static_cast<int32_t>(random() % 6));
      for (const int32_t length : lengths) tokens.insert(tokens.end(), static_cast<size_t>(length), d);
      document_of.insert(document_of.end(), tokens.begin(), tokens.end());
      ASSERT_TRUE(
          (lengths.empty() ? (*writer)->AddDocument({}) : (*writer)->AddSequences(tokens, lengths)).ok());
    }
    ASSERT_TRUE((*writer)->Finish().ok());
    auto dataset = IndexedDataset::Open(prefix);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    const auto total = static_cast<int64_t>(document_of.size());
    for (int64_t begin = 0; begin < total; ++begin) {
      for (int64_t count = 1; count <= total - begin; ++count) {
        std::vector<int32_t> starts(static_cast<size_t>(count)), want;
        ASSERT_TRUE(StartsByIndex(*dataset, begin, starts).ok());
        for (int64_t i = 0; i < count; ++i) {
          const bool same = i > 0 && document_of[begin + i] == document_of[begin + i - 1];
          want.push_back(i == 0 ? 0 : same ? want.back() : static_cast<int32_t>(i));
        }
        ASSERT_EQ(starts, want) << round << ": " << begin << " + " << count;
      }
    }
  }
}

}  // namespace
}  // namespace galley::data
