#include "runtime/data/store/document_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

TEST(DocumentPartsTest, EveryStretchIsCutWhereItsDocumentsAre) {
  const TempDir dir;
  const std::string prefix = JoinPath(dir.path(), "set");
  const std::vector<int32_t> lengths = {0, 3, 1, 0, 0, 5, 2, 0};
  WriteDataset(prefix, lengths);
  const IndexedDataset set = IndexedDataset::Open(prefix).value();
  std::vector<std::pair<int64_t, int64_t>> locations;  // of each token: document, token in it
  for (size_t d = 0; d < lengths.size(); ++d) {
    for (int64_t t = 0; t < lengths[d]; ++t) locations.emplace_back(static_cast<int64_t>(d), t);
  }
  for (int64_t begin = 0; begin <= set.tokens(); ++begin) {
    for (int64_t end = begin; end <= set.tokens(); ++end) {
      const std::vector<DocumentPart> parts = DocumentsOf(set, {begin, end}).value();
      int64_t at = begin;
      for (const DocumentPart& part : parts) {
        EXPECT_EQ(part.begin, at);
        EXPECT_EQ(part.length, lengths[static_cast<size_t>(part.document)]);
        ASSERT_GT(part.tokens.size(), 0);
        for (int64_t t = part.tokens.begin; t < part.tokens.end; ++t, ++at) {
          EXPECT_EQ(locations[static_cast<size_t>(at)], std::make_pair(part.document, t));
        }
      }
      EXPECT_EQ(at, end);
    }
  }
  EXPECT_TRUE(absl::IsDataLoss(DocumentsOf(set, {set.tokens(), set.tokens() + 1}).status()));
}

}  // namespace
}  // namespace galley::data
