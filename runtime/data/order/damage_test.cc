// Token files that are not what was written, and disks that are full: each is noticed, and the error names
// the file and the offset.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/testing.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A vocabulary of 256 bytes, three merges and the end of document, as GPT-2's files have it.
void WriteVocabulary(const std::string& dir) {
  std::string vocab = "{";
  int id = 0;
  const auto add = [&](const std::string& token) {
    absl::StrAppend(&vocab, id > 0 ? ", " : "", "\"", token, "\": ", id);
    ++id;
  };
  // Printable bytes stand for themselves, the others for the characters from U+0100 on.
  const auto utf8 = [](int code) {
    return code < 0x80
               ? std::string(1, static_cast<char>(code))
               : std::string{static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
  };
  int other = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    const std::string c = utf8(printable ? byte : other++);
    add(c == "\"" || c == "\\" ? "\\" + c : c);
  }
  for (const char* token : {"th", "he", "the", "<|endoftext|>"}) add(token);
  WriteText(JoinPath(dir, "vocab.json"), vocab + "}");
  WriteText(JoinPath(dir, "merges.txt"), "#version: 0.2\nt h\nh e\nth e\n");
}

class DamageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteVocabulary(dir_.path());
    std::string text;
    for (int i = 0; i < 300; ++i) absl::StrAppend(&text, "the verse ", i, ", then another thing\n");
    WriteText(Path("a.txt"), text);
    ASSERT_TRUE(TokenizeTo(Path("set")).ok());
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  tokenizer::TokenizerSpec Files() const {
    return {
        .kind = tokenizer::TokenizerKind::kGpt2, .vocab = Path("vocab.json"), .merges = Path("merges.txt")};
  }
  absl::Status TokenizeTo(const std::string& prefix) const {
    const auto tokenizer = tokenizer::MakeTokenizer(Files());
    if (!tokenizer.ok()) return tokenizer.status();
    TokenizeOptions options;
    options.inputs = {Path("a.txt")};
    options.output = prefix;
    options.document = DocumentUnit::kLine;
    options.append_eod = true;
    options.tokenizer_fingerprint = *TokenizerFingerprint(Files());
    return Tokenize(**tokenizer, options).status();
  }
  // What a full check of the data set says; ok when it is sound.
  static absl::Status Verified(const std::string& prefix, VerifyOptions options = {}) {
    const auto report = VerifyDataset(prefix, options);
    if (!report.ok()) return report.status();
    return report->faults.empty() ? absl::OkStatus() : report->faults.front();
  }

  void FlipBits(const std::string& path, uint32_t seed, const std::function<void()>& expect_found) {
    const std::string sound = ReadText(path);
    std::mt19937 random(seed);
    for (int i = 0; i < 50; ++i) {
      std::string bad = sound;
      const size_t at = random() % bad.size();
      const int bit = static_cast<int>(random() % 8);
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      WriteText(path, bad);
      SCOPED_TRACE(absl::StrCat(path, ": bit ", bit, " of byte ", at));
      expect_found();
    }
    WriteText(path, sound);
  }

  TempDir dir_;
};

TEST_F(DamageTest, ASoundDataSetIsSound) {
  EXPECT_TRUE(Verified(Path("set")).ok()) << Verified(Path("set"));
  const DatasetInfo info = **ReadDatasetInfo(Path("set"));
  EXPECT_EQ(info.origin.tokenizer, "gpt2");
  EXPECT_EQ(info.origin.vocab, 260);
  EXPECT_EQ(info.origin.eod, 259);
  EXPECT_TRUE(info.origin.append_eod);
  EXPECT_EQ(info.documents, 300);
  EXPECT_EQ(info.bin.bytes, info.tokens * 2);
  EXPECT_EQ(*ParseDatasetInfo(ToJson(info), "x"), info);
}

TEST_F(DamageTest, FlippedBitsOfEveryTokenFile) {
  uint32_t seed = 1;
  for (const char* end : {".idx", ".bin", ".galley.json"}) {
    const std::string path = Path("set") + end;
    FlipBits(path, seed++, [&] {
      const absl::Status status = Verified(Path("set"));
      ASSERT_FALSE(status.ok());
      EXPECT_THAT(status.message(), AllOf(HasSubstr(path), HasSubstr("offset ")));
    });
  }
  EXPECT_TRUE(Verified(Path("set")).ok());
}

TEST_F(DamageTest, TruncatedTokenFiles) {
  std::mt19937 random(4);
  for (const char* end : {".idx", ".bin", ".galley.json"}) {
    const std::string path = Path("set") + end;
    const std::string sound = ReadText(path);
    std::vector<size_t> sizes = {0, 1, 8, 9, 33, 34, 35, sound.size() - 1, sound.size() - 2};
    for (int i = 0; i < 20; ++i) sizes.push_back(random() % sound.size());
    for (const size_t size : sizes) {
      SCOPED_TRACE(absl::StrCat(path, ": ", size, " bytes left"));
      WriteText(path, sound.substr(0, size));
      const absl::Status status = Verified(Path("set"));
      ASSERT_FALSE(status.ok());
      EXPECT_THAT(status.message(), AllOf(HasSubstr(Path("set")), HasSubstr("offset ")));
      // A run does not begin on it either.
      const absl::Status planned =
          BuildDataPlan({.train = {{.path = Path("set")}}, .sequence_length = 8}).status();
      EXPECT_FALSE(planned.ok());
      EXPECT_THAT(planned.message(), HasSubstr(Path("set")));
    }
    WriteText(path, sound);
  }
}

TEST_F(DamageTest, FilesOfTwoDataSetsDoNotMix) {
  WriteText(Path("a.txt"), ReadText(Path("a.txt")) + "one line more\n");
  ASSERT_TRUE(TokenizeTo(Path("longer")).ok());
  WriteText(Path("longer.bin"), ReadText(Path("set.bin")));
  WriteText(Path("longer.idx"), ReadText(Path("set.idx")));
  EXPECT_ERROR(BuildDataPlan({.train = {{.path = Path("longer")}}, .sequence_length = 8}).status(),
               "longer.bin: it has ");
  EXPECT_ERROR(Verified(Path("longer")), "if another tool made it again on purpose, remove");
  ASSERT_EQ(::unlink(Path("longer.galley.json").c_str()), 0);
  EXPECT_TRUE(Verified(Path("longer")).ok());
}

// What a flipped bit in a vocabulary makes of it may be another sound vocabulary: then its fingerprint, which
// every data set keeps, tells the two apart.
TEST_F(DamageTest, FlippedBitsOfTheVocabulary) {
  uint32_t seed = 7;
  for (const char* name : {"vocab.json", "merges.txt"}) {
    const std::string path = Path(name);
    FlipBits(path, seed++, [&] {
      const auto tokenizer = tokenizer::MakeTokenizer(Files());
      if (!tokenizer.ok()) {
        EXPECT_THAT(tokenizer.status().message(), HasSubstr(name));
        return;
      }
      EXPECT_ERROR(Verified(Path("set"), {.tokenizer_fingerprint = *TokenizerFingerprint(Files())}),
                   "set.galley.json: the data set was made with a tokenizer gpt2 of fingerprint ");
    });
  }
}

TEST_F(DamageTest, TruncatedVocabulary) {
  for (const char* name : {"vocab.json", "merges.txt"}) {
    const std::string sound = ReadText(Path(name));
    for (size_t size = 0; size < sound.size(); size += 1 + size / 8) {
      WriteText(Path(name), sound.substr(0, size));
      const auto tokenizer = tokenizer::MakeTokenizer(Files());
      if (!tokenizer.ok()) {
        EXPECT_THAT(tokenizer.status().message(), HasSubstr(name)) << size;
      } else {
        EXPECT_FALSE(Verified(Path("set"), {.tokenizer_fingerprint = *TokenizerFingerprint(Files())}).ok());
      }
    }
    WriteText(Path(name), sound);
  }
}

TEST_F(DamageTest, TheBlockOfAFaultIsNamed) {
  std::vector<int32_t> lengths(5, 1 << 22);  // 40 MiB: three blocks
  WriteDataset(Path("big"), lengths, 60000);
  EXPECT_TRUE(Verified(Path("big"), {.threads = 3}).ok());
  std::string bin = ReadText(Path("big.bin"));
  for (const size_t at : {size_t{20} << 20, bin.size() - 1}) bin[at] = static_cast<char>(bin[at] ^ 4);
  WriteText(Path("big.bin"), bin);
  for (const int threads : {1, 3}) {
    const VerifyReport report = *VerifyDataset(Path("big"), {.threads = threads});
    ASSERT_EQ(report.faults.size(), 2u);
    EXPECT_THAT(report.faults[0].message(), HasSubstr("big.bin: offset 16777216: the checksum of 16777216 "));
    EXPECT_THAT(report.faults[1].message(), HasSubstr("big.bin: offset 33554432: the checksum of 8388608 "));
  }
}

// A tmpfs of some pages: what is written first fits, the file under test does not.
class FullDiskTest : public DamageTest {
 protected:
  void SetUp() override {
    DamageTest::SetUp();
    ASSERT_TRUE(MakeDirs(Path("disk")).ok());
    if (::mount("tmpfs", Path("disk").c_str(), "tmpfs", 0, "size=256k") != 0) {
      GTEST_SKIP() << "mounting a small tmpfs needs root";
    }
    mounted_ = true;
    ASSERT_TRUE(TokenizeTo(Path("disk/set")).ok());
    before_ = *ListDir(Path("disk"));
  }
  void TearDown() override {
    if (!mounted_) return;
    EXPECT_EQ(::umount(Path("disk").c_str()), 0);
  }
  // Leaves `pages` of 4 KiB.
  void Fill(int64_t pages) const {
    const int64_t free = *FreeBytes(Path("disk"));
    ASSERT_GE(free, pages * 4096);
    WriteText(Path("disk/filler"), std::string(static_cast<size_t>(free - pages * 4096), 'x'));
  }
  void ExpectRefused(const absl::Status& status, const std::string& file) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr(Path("disk/set") + file), HasSubstr("offset "),
                                        HasSubstr("No space left on device")));
    // The data set that was there stands, and nothing is left of the other.
    ASSERT_EQ(::unlink(Path("disk/filler").c_str()), 0);
    EXPECT_EQ(*ListDir(Path("disk")), before_);
    EXPECT_TRUE(Verified(Path("disk/set")).ok());
  }
  bool mounted_ = false;
  std::vector<std::string> before_;
};

TEST_F(FullDiskTest, OfTheTokens) {
  Fill(1);
  ExpectRefused(TokenizeTo(Path("disk/set")), ".bin: after offset 0");
}

TEST_F(FullDiskTest, OfTheIndex) {
  const int64_t bin = *FileSize(Path("set.bin"));
  Fill((bin + 4095) / 4096 + 1);
  ASSERT_GT(*FileSize(Path("set.idx")), 4096);
  ExpectRefused(TokenizeTo(Path("disk/set")), ".idx: after offset 0");
}

TEST_F(FullDiskTest, OfTheMetadata) {
  const int64_t bin = *FileSize(Path("set.bin"));
  const int64_t idx = *FileSize(Path("set.idx"));
  Fill((bin + 4095) / 4096 + (idx + 4095) / 4096);
  ExpectRefused(TokenizeTo(Path("disk/set")), ".galley.json: after offset 0");
}

}  // namespace
}  // namespace galley::data
