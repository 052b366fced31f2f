#include "runtime/data/store/indexed_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::ElementsAre;

class IndexedDatasetTest : public ::testing::Test {
 protected:
  std::string Prefix(const std::string& name = "set") const { return JoinPath(dir_.path(), name); }
  // The data set of `bytes` and as many .bin bytes as given.
  absl::Status OpenBytes(const std::string& idx, size_t bin_bytes) {
    WriteText(Prefix() + ".idx", idx);
    WriteText(Prefix() + ".bin", std::string(bin_bytes, '\1'));
    return IndexedDataset::Open(Prefix()).status();
  }
  TempDir dir_;
};

// u16, sequences of 3, 2 and 4 tokens in documents {0, 1} and {2}.
const std::string& Golden() {
  static const std::string bytes = absl::HexStringToBytes(
      "4d4d49444944580000"
      "0100000000000000"
      "08"
      "0300000000000000"
      "0300000000000000"
      "03000000"
      "02000000"
      "04000000"
      "0000000000000000"
      "0600000000000000"
      "0a00000000000000"
      "0000000000000000"
      "0200000000000000"
      "0300000000000000");
  return bytes;
}

std::string With(std::string bytes, size_t at, int64_t value, size_t size = 8) {
  std::memcpy(bytes.data() + at, &value, size);
  return bytes;
}

TEST_F(IndexedDatasetTest, WritesTheGoldenBytes) {
  auto writer = *IndexedDatasetWriter::Create(Prefix(), TokenType::kU16);
  ASSERT_TRUE(writer->AddSequences(std::vector<int32_t>{1, 2, 3, 4, 65499}, std::vector<int32_t>{3, 2}).ok());
  ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{6, 7, 8, 9}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(ReadText(Prefix() + ".idx"), Golden());
  EXPECT_EQ(absl::BytesToHexString(ReadText(Prefix() + ".bin")), "0100020003000400dbff0600070008000900");
}

TEST_F(IndexedDatasetTest, ReadsTheGoldenBytes) {
  ASSERT_TRUE(OpenBytes(Golden(), 18).ok());
  const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
  EXPECT_EQ(dataset.type(), TokenType::kU16);
  EXPECT_EQ(dataset.sequences(), 3);
  EXPECT_EQ(dataset.documents(), 2);
  EXPECT_EQ(dataset.tokens(), 9);
  EXPECT_EQ(*dataset.DocumentTokens(0), (Range{0, 5}));
  EXPECT_EQ(*dataset.DocumentTokens(1), (Range{5, 9}));
  EXPECT_EQ(*dataset.SequenceTokens(1), (Range{3, 5}));
  EXPECT_THAT(*dataset.ReadTokens({7, 9}), ElementsAre(257, 257));
  EXPECT_TRUE(dataset.Verify().ok());
  EXPECT_FALSE(dataset.multimodal());
}

TEST_F(IndexedDatasetTest, EveryTypeComesBack) {
  for (const TokenType type :
       {TokenType::kU8, TokenType::kI8, TokenType::kI16, TokenType::kU16, TokenType::kI32, TokenType::kI64}) {
    WriteDataset(Prefix(), {3, 0, 5, 0}, 100, type);
    const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
    EXPECT_EQ(dataset.type(), type);
    EXPECT_EQ(dataset.sequences(), 2) << "an empty document holds no sequence";
    EXPECT_EQ(dataset.documents(), 4);
    EXPECT_EQ(*dataset.DocumentTokens(1), (Range{3, 3}));
    EXPECT_EQ(*dataset.DocumentTokens(3), (Range{8, 8}));
    EXPECT_THAT(*dataset.ReadTokens({1, 7}), ElementsAre(1, 2, 3, 4, 5, 6)) << Name(type);
    EXPECT_TRUE(dataset.Verify().ok());
  }
}

TEST_F(IndexedDatasetTest, LargeTypeHoldsLargeIds) {
  auto writer = *IndexedDatasetWriter::Create(Prefix(), TokenTypeFor(65500));
  ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{0, 65499, 131071}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
  EXPECT_EQ(dataset.type(), TokenType::kI32);
  EXPECT_EQ(TokenTypeFor(65499), TokenType::kU16);
  EXPECT_THAT(*dataset.ReadTokens({0, 3}), ElementsAre(0, 65499, 131071));
}

TEST_F(IndexedDatasetTest, EmptyDataSetIsOne) {
  WriteDataset(Prefix(), {});
  const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
  EXPECT_EQ(dataset.documents(), 0);
  EXPECT_EQ(dataset.tokens(), 0);
  EXPECT_TRUE(dataset.Verify().ok());
  EXPECT_TRUE(dataset.Fingerprint().ok());
}

TEST_F(IndexedDatasetTest, ModalitiesAtTheEndAreSeen) {
  ASSERT_TRUE(OpenBytes(Golden() + std::string("\0\1\0", 3), 18).ok());
  EXPECT_TRUE(IndexedDataset::Open(Prefix())->multimodal());
}

TEST_F(IndexedDatasetTest, MissingFileNamesItAndTheRemedy) {
  EXPECT_ERROR(IndexedDataset::Open(Prefix("none")).status(), "none.idx: no such file");
  WriteText(Prefix("half") + ".idx", Golden());
  EXPECT_ERROR(IndexedDataset::Open(Prefix("half")).status(), "half.bin: no such file");
}

TEST_F(IndexedDatasetTest, HostileHeadersNameTheOffset) {
  EXPECT_ERROR(OpenBytes("", 0), "not an indexed data set");
  EXPECT_ERROR(OpenBytes(std::string("TNTIDX\0\0\1\0\0\0", 12), 0), "old kind");
  EXPECT_ERROR(OpenBytes(Golden().substr(0, 33), 18), "offset 33: the file ends within its header");
  EXPECT_ERROR(OpenBytes(With(Golden(), 9, 2), 18), "offset 9: version is 2");
  EXPECT_ERROR(OpenBytes(With(Golden(), 17, 9, 1), 18), "offset 17: token type code is 9");
  EXPECT_ERROR(OpenBytes(With(Golden(), 18, 4), 18), "offset 94: the file has 94 bytes; 4 sequences");
  EXPECT_ERROR(OpenBytes(With(Golden(), 18, -1), 18), "offset 18");
  EXPECT_ERROR(OpenBytes(With(Golden(), 18, int64_t{1} << 60), 18), "offset 18");
  EXPECT_ERROR(OpenBytes(With(Golden(), 26, 0), 18), "offset 26: 0 document entries");
  EXPECT_ERROR(OpenBytes(With(Golden(), 26, int64_t{1} << 61), 18), "offset 26");
  EXPECT_ERROR(OpenBytes(Golden().substr(0, 93), 18), "offset 93: the file has 93 bytes");
  EXPECT_ERROR(OpenBytes(Golden() + "xx", 18), "need 94");
}

TEST_F(IndexedDatasetTest, HostileArraysNameTheOffset) {
  EXPECT_ERROR(OpenBytes(Golden(), 16), "does not lie in a .bin file of 16 bytes");
  EXPECT_ERROR(OpenBytes(Golden(), 20), "offset 18: the last sequence ends here, the file at 20");
  EXPECT_ERROR(OpenBytes(Golden(), 19), "not a multiple of 2");
  EXPECT_ERROR(OpenBytes(With(Golden(), 42, -4, 4), 18), "offset 42: the length of sequence 2 is -4");
  EXPECT_ERROR(OpenBytes(With(Golden(), 62, -2), 18), "offset 62: sequence 2 (4 tokens at byte -2)");
  EXPECT_ERROR(OpenBytes(With(Golden(), 62, 11), 18), "offset 62");
  EXPECT_ERROR(OpenBytes(With(Golden(), 62, INT64_MAX - 1), 18), "offset 62");
  EXPECT_ERROR(OpenBytes(With(Golden(), 46, 2), 18), "the first sequence is not at 0");
  EXPECT_ERROR(OpenBytes(With(Golden(), 70, 1), 18), "offset 70: the first document does not begin at 0");
  EXPECT_ERROR(OpenBytes(With(Golden(), 86, 2), 18), "offset 86: the documents end at sequence 2 of 3");
}

TEST_F(IndexedDatasetTest, FaultsInTheMiddleAreFoundByUseAndByVerify) {
  ASSERT_TRUE(OpenBytes(With(Golden(), 78, 7), 18).ok());
  EXPECT_ERROR(IndexedDataset::Open(Prefix())->DocumentSequences(0).status(), "offset 70: document 0 spans");
  EXPECT_ERROR(IndexedDataset::Open(Prefix())->Verify(), "offset 78: a document spans sequences 0 to 7 of 3");
  ASSERT_TRUE(OpenBytes(With(Golden(), 54, 8), 18).ok());
  EXPECT_ERROR(IndexedDataset::Open(Prefix())->Verify(), "offset 54: sequence 1 begins at token 4");
  ASSERT_TRUE(OpenBytes(With(Golden(), 54, 1 << 20), 18).ok());
  EXPECT_ERROR(IndexedDataset::Open(Prefix())->SequenceTokens(1).status(), "offset 54");
}

TEST_F(IndexedDatasetTest, AFileCutAfterOpenIsAnErrorNotASignal) {
  WriteDataset(Prefix(), {4000});
  const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
  ASSERT_EQ(::truncate(dataset.bin_path().c_str(), 1000), 0);
  EXPECT_ERROR(dataset.ReadTokens({0, 4000}).status(), "offset 1000: the file ends here; it was cut short");
}

TEST_F(IndexedDatasetTest, RandomBitFlipsNeverCrash) {
  WriteDataset(Prefix("good"), {3, 0, 7, 2, 2, 0, 9});
  const std::string idx = ReadText(Prefix("good") + ".idx");
  const std::string bin = ReadText(Prefix("good") + ".bin");
  WriteText(Prefix() + ".bin", bin);
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string flipped = idx;
    flipped[random() % flipped.size()] ^= static_cast<char>(1 << random() % 8);
    WriteText(Prefix() + ".idx", flipped);
    const absl::StatusOr<IndexedDataset> dataset = IndexedDataset::Open(Prefix());
    if (!dataset.ok()) continue;
    const absl::Status verified = dataset->Verify();
    for (int64_t d = 0; d < dataset->documents(); ++d) {
      const absl::StatusOr<Range> tokens = dataset->DocumentTokens(d);
      EXPECT_TRUE(!tokens.ok() || dataset->ReadTokens(*tokens).ok());
    }
  }
}

TEST_F(IndexedDatasetTest, OnlyFinishMakesTheFilesAppear) {
  {
    auto writer = *IndexedDatasetWriter::Create(Prefix(), TokenType::kU16);
    ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{1, 2, 3}).ok());
    EXPECT_FALSE(FileExists(Prefix() + ".bin"));
  }
  EXPECT_THAT(*ListDir(dir_.path()), ::testing::IsEmpty());
}

TEST_F(IndexedDatasetTest, FingerprintKnowsCopiesAndChanges) {
  WriteDataset(Prefix("a"), {300, 400});
  WriteDataset(Prefix("b"), {300, 400});
  WriteDataset(Prefix("c"), {301, 399});
  const auto fingerprint = [&](const char* name) {
    return *IndexedDataset::Open(Prefix(name))->Fingerprint();
  };
  EXPECT_EQ(fingerprint("a"), fingerprint("b"));
  EXPECT_NE(fingerprint("a"), fingerprint("c"));
  std::string bin = ReadText(Prefix("b") + ".bin");
  bin[700] ^= 1;
  WriteText(Prefix("b") + ".bin", bin);
  EXPECT_NE(fingerprint("a"), fingerprint("b"));
}

TEST_F(IndexedDatasetTest, TokenIdsOutsideTheVocabularyAreNamed) {
  WriteDataset(Prefix(), {1500000, 1500000}, 300);
  const IndexedDataset dataset = *IndexedDataset::Open(Prefix());
  for (const int threads : {1, 3}) {
    const IdRange range = ReadIdRange(dataset, threads).value();
    EXPECT_EQ(range, (IdRange{0, 0, 299, 299})) << threads;
    EXPECT_TRUE(CheckIdRange(dataset, range, 300).ok());
    EXPECT_ERROR(
        CheckIdRange(dataset, range, 299),
        "set.bin: offset 598: token id 299 (token 299, sequence 0) is outside the vocabulary of 299");
  }
  auto writer = *IndexedDatasetWriter::Create(Prefix("negative"), TokenType::kI32);
  ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{1}).ok());
  ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{1, -1}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const IndexedDataset negative = *IndexedDataset::Open(Prefix("negative"));
  EXPECT_ERROR(CheckIdRange(negative, ReadIdRange(negative, 1).value(), 300),
               "token id -1 (token 2, sequence 1)");
}

TEST_F(IndexedDatasetTest, NoTokensFitEveryVocabulary) {
  auto writer = *IndexedDatasetWriter::Create(Prefix(), TokenType::kU16);
  ASSERT_TRUE(writer->Finish().ok());
  const absl::StatusOr<IndexedDataset> dataset = IndexedDataset::Open(Prefix());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_TRUE(CheckIdRange(*dataset, ReadIdRange(*dataset, 2).value(), 1).ok());
}

TEST_F(IndexedDatasetTest, TheBoundOfItsIdsIsWrittenBesideIt) {
  const auto bound = [&](const char* name) { return (*ReadDatasetInfo(Prefix(name)))->ids_below; };
  WriteDataset(Prefix("counted"), {300, 5}, 300);
  EXPECT_EQ(bound("counted"), 300);
  for (const TokenType type : {TokenType::kU8, TokenType::kU16, TokenType::kI32, TokenType::kI64}) {
    auto writer = *IndexedDatasetWriter::Create(Prefix("copied"), type);
    std::vector<std::byte> bytes(static_cast<size_t>(3 * ItemSize(type)));
    bytes[static_cast<size_t>(ItemSize(type))] = std::byte{200};
    ASSERT_TRUE(writer->AddTokenBytes(bytes).ok());
    ASSERT_TRUE(writer->AddSequenceLengths(std::vector<int32_t>{3}).ok());
    ASSERT_TRUE(writer->AddDocumentCounts(std::vector<uint32_t>{1}).ok());
    ASSERT_TRUE(writer->Finish().ok());
    EXPECT_EQ(bound("copied"), 201) << Name(type);
  }
  auto writer = *IndexedDatasetWriter::Create(Prefix("negative"), TokenType::kI32);
  ASSERT_TRUE(writer->AddDocument(std::vector<int32_t>{7, -1}).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(bound("negative"), std::nullopt);
  // Metadata of an older version has none.
  std::string text = ReadText(DatasetInfoPath(Prefix("counted")));
  DatasetInfo info = *ParseDatasetInfo(text, "info");
  info.ids_below.reset();
  EXPECT_EQ(ToJson(info).find("ids_below"), std::string::npos);
  EXPECT_EQ(*ParseDatasetInfo(ToJson(info), "info"), info);
}

}  // namespace
}  // namespace galley::data
