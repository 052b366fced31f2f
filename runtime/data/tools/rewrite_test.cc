#include "runtime/data/tools/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RewriteTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  std::vector<std::string> Paths(const std::vector<std::string>& names) const {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(Path(name));
    return paths;
  }
  // Documents `begin` to `end`, as JSONL and as a data set of that name.
  void MakeSet(const std::string& name, int begin, int end, const std::string& fingerprint = "0123") {
    std::string text;
    for (int d = begin; d < end; ++d) {
      absl::StrAppend(&text, "{\"text\":\"", std::string(static_cast<size_t>(d % 7), 'x'), "\"}\n");
    }
    WriteText(Path(name + ".jsonl"), text);
    TokenizeOptions options;
    options.inputs = {Path(name + ".jsonl")};
    options.output = Path(name);
    options.tokenizer_fingerprint = fingerprint;
    const absl::Status status = Tokenize(*tokenizer::MakeByteTokenizer(), options).status();
    ASSERT_TRUE(status.ok()) << status;
  }
  void ExpectSame(const std::string& a, const std::string& b) {
    for (const char* end : {".idx", ".bin", ".galley.json"}) {
      EXPECT_EQ(ReadText(Path(a) + end), ReadText(Path(b) + end)) << a << end;
    }
  }
  absl::Status Merge(const std::vector<std::string>& names, const std::string& output) {
    return MergeDatasets(Paths(names), Path(output)).status();
  }
  std::function<std::string(int64_t, int64_t)> Numbered(const std::string& name) const {
    return [this, name](int64_t part, int64_t) { return Path(absl::StrCat(name, part)); };
  }
  TempDir dir_;
};

TEST_F(RewriteTest, PartsPutTogetherAreTheWholeByteForByte) {
  MakeSet("all", 0, 300);
  MakeSet("a", 0, 101);
  MakeSet("b", 101, 102);
  MakeSet("c", 102, 300);
  RewriteProgress last;
  const absl::StatusOr<RewriteReport> report =
      MergeDatasets(Paths({"a", "b", "c"}), Path("merged"), [&last](const RewriteProgress& p) { last = p; });
  ASSERT_TRUE(report.ok()) << report.status();
  ExpectSame("merged", "all");
  ASSERT_EQ(report->outputs.size(), 1u);
  EXPECT_EQ(report->outputs[0].documents, 300);
  EXPECT_EQ(report->origin.tokenizer, "bytes");
  EXPECT_TRUE(report->checksums_compared);
  EXPECT_EQ(last.bytes, last.total);
  EXPECT_EQ(last.total, *FileSize(Path("all.bin")));
  // And apart again.
  ASSERT_TRUE(SplitDataset(Path("merged"), {.shares = {101, 1, 198}}, Numbered("part")).ok());
  ExpectSame("part0", "a");
  ExpectSame("part1", "b");
  ExpectSame("part2", "c");
}

TEST_F(RewriteTest, CutsAreByDocumentsInOrder) {
  EXPECT_THAT(*CutDocuments(13, {.shares = {949, 150, 150}}), ElementsAre(0, 10, 11, 13));
  EXPECT_THAT(*CutDocuments(10, {.parts = 3}), ElementsAre(0, 3, 6, 10));
  EXPECT_THAT(*CutDocuments(10, {.documents = 4}), ElementsAre(0, 4, 8, 10));
  EXPECT_THAT(*CutDocuments(8, {.documents = 4}), ElementsAre(0, 4, 8));
  EXPECT_THAT(*CutDocuments(4, {.shares = {1, 1}}), ElementsAre(0, 2, 4));
  EXPECT_THAT(*CutDocuments(5, {.shares = {1, 1}}), ElementsAre(0, 2, 5));  // halves to even
  EXPECT_ERROR(CutDocuments(13, {.shares = {949, 50, 1}}).status(),
               "part 2 would hold none of the 13 documents");
  EXPECT_ERROR(CutDocuments(2, {.parts = 3}).status(), "cannot be cut in 3 parts");
  EXPECT_ERROR(CutDocuments(2, {.shares = {1, -1}}).status(), "a share of -1");
  EXPECT_ERROR(CutDocuments(2, {}).status(), "no shares, parts or documents");
  const int64_t many = int64_t{1} << 61;
  EXPECT_EQ(CutDocuments(many, {.parts = 1000})->at(500), many / 2);
}

TEST_F(RewriteTest, SentencesEmptyDocumentsAndWideTokensStay) {
  for (const TokenType type : {TokenType::kU8, TokenType::kI16, TokenType::kI32, TokenType::kI64}) {
    const auto make = [&](const std::string& name, int from, int to) {
      auto writer = *IndexedDatasetWriter::Create(Path(name), type);
      for (int d = from; d < to; ++d) {
        const std::vector<int32_t> tokens(static_cast<size_t>(d % 4) * 3, d);
        const std::vector<int32_t> lengths = {d % 4, 0, 2 * (d % 4)};
        ASSERT_TRUE((d % 4 == 1 ? writer->AddDocument({}) : writer->AddSequences(tokens, lengths)).ok());
      }
      ASSERT_TRUE(writer->Finish().ok());
    };
    make("all", 0, 40);
    make("a", 0, 17);
    make("b", 17, 40);
    ASSERT_TRUE(Merge({"a", "b"}, "merged").ok());
    ExpectSame("merged", "all");
    ASSERT_TRUE(SplitDataset(Path("all"), {.documents = 17}, Numbered("p")).ok());
    ExpectSame("p0", "a");
    EXPECT_EQ(IndexedDataset::Open(Path("p2"))->documents(), 6);
    ASSERT_TRUE(Merge({"p0", "p1", "p2"}, "again").ok());
    ExpectSame("again", "all");
  }
}

TEST_F(RewriteTest, ModalitiesGoWithTheirSequences) {
  for (const char* name : {"a", "b"}) {
    auto writer = *IndexedDatasetWriter::Create(Path(name), TokenType::kU16);
    for (int d = 0; d < 5; ++d) {
      ASSERT_TRUE(writer->AddDocument({{d, d}}).ok());
      const std::byte mode{static_cast<unsigned char>(d + name[0])};
      ASSERT_TRUE(writer->AddModalities(std::span(&mode, 1)).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
  }
  ASSERT_TRUE(Merge({"a", "b"}, "m").ok());
  EXPECT_TRUE(IndexedDataset::Open(Path("m"))->multimodal());
  EXPECT_EQ(ReadText(Path("m.idx")).substr(34 + 12 * 10 + 8 * 11), "abcdebcdef");
  ASSERT_TRUE(SplitDataset(Path("m"), {.documents = 7}, Numbered("p")).ok());
  EXPECT_EQ(ReadText(Path("p1.idx")).substr(34 + 12 * 3 + 8 * 4), "def");
  WriteDataset(Path("plain"), {3, 4});
  EXPECT_ERROR(Merge({"a", "plain"}, "x"), "plain.idx: it has no modality for each sequence");
  WriteDataset(Path("empty"), {0, 0});
  EXPECT_ERROR(Merge({"empty", "a", "plain"}, "x"), "plain.idx: it has no modality for each sequence");
  ASSERT_TRUE(Merge({"empty", "a", "empty"}, "y").ok());
  EXPECT_TRUE(IndexedDataset::Open(Path("y"))->multimodal());
  EXPECT_EQ(IndexedDataset::Open(Path("y"))->documents(), 9);
}

TEST_F(RewriteTest, WhatDoesNotFitTogetherIsNamed) {
  MakeSet("a", 0, 10);
  MakeSet("b", 0, 10, "4567");
  absl::Status status = Merge({"a", "b"}, "m");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("b.galley.json: not made as "),
                                      HasSubstr("tokenizer fingerprint 0123 and 4567; tokenize both alike")));
  WriteDataset(Path("wide"), {3, 4}, 256, TokenType::kI32);
  EXPECT_ERROR(Merge({"a", "wide"}, "m"), "wide.idx: offset 17: its tokens are i32, those of ");
  EXPECT_ERROR(Merge({"a", "a"}, "a"), "it is a source, and would be overwritten");
  EXPECT_ERROR(
      SplitDataset(Path("a"), {.parts = 1}, [this](int64_t, int64_t) { return Path("./a"); }).status(),
      "it is a source");
  EXPECT_ERROR(SplitDataset(Path("a"), {.parts = 2}, [this](int64_t, int64_t) { return Path("x"); }).status(),
               "two parts of that name");
  EXPECT_ERROR(Merge({"a", "none"}, "m"), "none.idx: no such file");
  EXPECT_ERROR(Merge({}, "m"), "no data set is named");
  // A set of another tool has no metadata: the whole has no origin then, but goes together.
  WriteDataset(Path("foreign"), {3, 4});
  ASSERT_TRUE(RemoveTree(Path("foreign.galley.json")).ok());
  const RewriteReport report = *MergeDatasets(Paths({"a", "foreign"}), Path("m"));
  EXPECT_EQ(report.unknown, Path("foreign"));
  EXPECT_FALSE(report.checksums_compared);
  EXPECT_EQ((*ReadDatasetInfo(Path("m")))->origin, DatasetOrigin());
}

TEST_F(RewriteTest, DamageIsFoundOnTheWayAndLeavesNothing) {
  MakeSet("a", 0, 100);
  const std::vector<std::string> before = *ListDir(dir_.path());
  for (const char* end : {".bin", ".idx"}) {
    const std::string sound = ReadText(Path("a") + end);
    for (const size_t at : {sound.size() / 3, sound.size() - 9}) {
      std::string bad = sound;
      bad[at] ^= 1;
      WriteText(Path("a") + end, bad);
      for (const absl::Status& status :
           {Merge({"a"}, "m"), SplitDataset(Path("a"), {.parts = 3}, Numbered("p")).status()}) {
        EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
        EXPECT_THAT(status.message(), AllOf(HasSubstr(Path("a") + end), HasSubstr("offset ")));
      }
      EXPECT_EQ(*ListDir(dir_.path()), before);
    }
    WriteText(Path("a") + end, sound);
  }
}

// A file that shrinks or grows between its opening and the reads.
TEST_F(RewriteTest, FilesThatChangeMeanwhile) {
  MakeSet("a", 0, 40000);
  const IndexedDataset set = *IndexedDataset::Open(Path("a"));
  EXPECT_TRUE(set.Verify().ok());
  for (const char* end : {".idx", ".bin"}) {
    const std::string sound = ReadText(Path("a") + end);
    std::ofstream(Path("a") + end, std::ios::app) << "more";
    EXPECT_ERROR(set.Verify(), absl::StrCat("a", end, ": offset ", sound.size(), ": the file had "));
    std::filesystem::resize_file(Path("a") + end, sound.size() / 2);
    EXPECT_ERROR(set.Verify(), absl::StrCat("a", end, ": offset ", sound.size() / 2));
    std::ofstream(Path("a") + end, std::ios::in | std::ios::binary) << sound;
  }
  EXPECT_TRUE(set.Verify().ok());
}

}  // namespace
}  // namespace galley::data
