// A cache as Megatron-Core leaves it: names, descriptions and arrays.
#include "runtime/data/order/megatron_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/data/megatron/npy.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// numpy.save's bytes.
std::string Npy(const std::string& descr, const std::vector<int64_t>& shape,
                const std::vector<int64_t>& values) {
  std::string dict = absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (",
                                  absl::StrJoin(shape, ", "), shape.size() == 1 ? "," : "", "), }");
  while ((10 + dict.size() + 1) % 64 != 0) dict += ' ';
  dict += '\n';
  std::string text = std::string("\x93NUMPY\x01\0", 8);
  text += static_cast<char>(dict.size() & 255);
  text += static_cast<char>(dict.size() >> 8);
  text += dict;
  for (const int64_t value : values) {
    for (int i = 0; i < descr[2] - '0'; ++i) text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

class MegatronCacheTest : public ::testing::Test {
 protected:
  MegatronCacheTest() {
    std::vector<int32_t> lengths;
    for (int i = 0; i < 200; ++i) lengths.push_back(i * 37 % 23);
    WriteDataset(Path("a"), lengths);
    WriteDataset(Path("b"), std::vector<int32_t>(60, 10));
    DataConfig config;
    config.train = {{Path("a"), 3}, {Path("b"), 1}};
    config.split = {9, 1};
    config.seed = 1234;
    config.sequence_length = 8;
    config.vocab = 256;
    config.order = std::string(kMegatron014);
    config.train_samples = config.run_samples = 700;
    plan_ = BuildDataPlan(config).value();
    for (const PlannedSource& source : plan_.sources)
      sources_.push_back(IndexedDataset::Open(source.path).value());
    order_ = MegatronOrder::Create(plan_, Split::kTrain, sources_, 2).value();
    folder_ = Path("cache");
    EXPECT_TRUE(MakeDirs(folder_).ok());
    WriteCache();
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  std::string File(const std::string& name) const { return JoinPath(folder_, name); }

  void WriteCache() {
    nlohmann::json datasets = nlohmann::json::array();
    for (size_t s = 0; s < sources_.size(); ++s) {
      const MegatronIndex& index = order_->index(s);
      const std::string base = File(absl::StrCat("0123456789abcdef", s, "-GPTDataset-train-"));
      // From another machine: the folder is another one.
      const nlohmann::json description = {{"class", "GPTDataset"},
                                          {"dataset_path", absl::StrCat("/elsewhere/", s == 0 ? "a" : "b")},
                                          {"num_samples", AskedOfSources(plan_, Split::kTrain)[s]},
                                          {"index_split", "train"},
                                          {"random_seed", 1234},
                                          {"sequence_length", 8},
                                          {"split", "9,1"},
                                          {"tokenizer", {{"class", "Tokenizer"}}}};
      WriteText(base + "description.txt", description.dump(4));
      datasets.push_back(description);
      const std::vector<int64_t> documents(index.document_index().begin(), index.document_index().end());
      WriteText(base + "document_index.npy", Npy("<i4", {static_cast<int64_t>(documents.size())}, documents));
      std::vector<int64_t> rows(static_cast<size_t>(2 * (index.samples() + 1)));
      BuildSampleIndex<int64_t>(SequenceLengths(sources_[s].length_bytes()), index.document_index(), 8, 1,
                                rows);
      WriteText(base + "sample_index.npy", Npy("<i4", {index.samples() + 1, 2}, rows));
      const std::vector<int64_t> shuffle(index.shuffle_index().begin(), index.shuffle_index().end());
      WriteText(base + "shuffle_index.npy", Npy("<u4", {index.samples()}, shuffle));
    }
    const std::string base = File("aabbccddeeff0011-BlendedDataset-train-");
    const int64_t size = order_->blend()->size();
    WriteText(base + "description.txt", nlohmann::json({{"class", "BlendedDataset"},
                                                        {"datasets", datasets},
                                                        {"split", "train"},
                                                        {"weights", {0.75, 0.25}},
                                                        {"size", size}})
                                            .dump(4));
    std::vector<int64_t> from, index;
    for (int64_t n = 0; n < size; ++n) {
      from.push_back(order_->blend()->At(n).source);
      index.push_back(order_->blend()->At(n).index);
    }
    WriteText(base + "dataset_index.npy", Npy("<i2", {size}, from));
    WriteText(base + "dataset_sample_index.npy", Npy("<i8", {size}, index));
  }
  absl::StatusOr<CacheCheck> Check() const {
    return CheckMegatronCache(folder_, plan_, Split::kTrain, *order_);
  }
  // What Check says with `name` changed by `edit`; the file is as before afterwards.
  absl::Status Edited(const std::string& name, const std::function<void(std::string&)>& edit) {
    const std::string before = ReadText(File(name));
    EXPECT_FALSE(before.empty()) << name;
    std::string text = before;
    edit(text);
    WriteText(File(name), text);
    const absl::Status status = Check().status();
    WriteText(File(name), before);
    return status;
  }

  TempDir dir_;
  std::string folder_;
  DataPlan plan_;
  std::vector<IndexedDataset> sources_;
  std::unique_ptr<MegatronOrder> order_;
};

TEST_F(MegatronCacheTest, EveryFileOfAWholeCacheAgrees) {
  const absl::StatusOr<CacheCheck> check = Check();
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_THAT(check->agreeing, SizeIs(8));
  EXPECT_THAT(check->missing, IsEmpty());
}

TEST_F(MegatronCacheTest, MissingFilesAndOtherRunsIndicesAreNoError) {
  ASSERT_TRUE(RemoveTree(File("0123456789abcdef1-GPTDataset-train-shuffle_index.npy")).ok());
  EXPECT_THAT(Check()->agreeing, SizeIs(7));
  ASSERT_TRUE(RemoveTree(File("0123456789abcdef0-GPTDataset-train-description.txt")).ok());
  EXPECT_THAT(Check()->missing, ::testing::ElementsAre(Path("a")));
  // Another seed's indices are another run's.
  const std::string name = File("0123456789abcdef1-GPTDataset-train-description.txt");
  nlohmann::json other = nlohmann::json::parse(ReadText(name));
  other["random_seed"] = 1;
  WriteText(name, other.dump());
  EXPECT_THAT(Check()->missing, ::testing::ElementsAre(Path("a"), Path("b")));
  const auto valid = CheckMegatronCache(folder_, plan_, Split::kValid, *order_);
  EXPECT_TRUE(valid.ok() && valid->agreeing.empty()) << valid.status();
  EXPECT_TRUE(absl::IsNotFound(CheckMegatronCache(Path("none"), plan_, Split::kTrain, *order_).status()));
}

TEST_F(MegatronCacheTest, AnotherValueAnywhereIsNamed) {
  for (const std::string name : {"0123456789abcdef0-GPTDataset-train-document_index.npy",
                                 "0123456789abcdef1-GPTDataset-train-sample_index.npy",
                                 "0123456789abcdef0-GPTDataset-train-shuffle_index.npy",
                                 "aabbccddeeff0011-BlendedDataset-train-dataset_index.npy",
                                 "aabbccddeeff0011-BlendedDataset-train-dataset_sample_index.npy"}) {
    for (const size_t at : {size_t{128}, size_t{200}, ReadText(File(name)).size() - 2}) {
      const absl::Status status = Edited(name, [at](std::string& text) { text[at] ^= 1; });
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_THAT(std::string(status.message()),
                  ::testing::AllOf(HasSubstr(name), HasSubstr("offset "), HasSubstr("make the cache anew")));
    }
    const absl::Status cut = Edited(name, [](std::string& text) { text.pop_back(); });
    EXPECT_TRUE(absl::IsDataLoss(cut)) << cut;
    EXPECT_THAT(std::string(cut.message()), ::testing::AllOf(HasSubstr(name), HasSubstr("offset 128")));
  }
  const absl::Status shape =
      Edited("0123456789abcdef0-GPTDataset-train-shuffle_index.npy", [](std::string& text) {
        text = Npy("<u4", {3}, {0, 1, 2});
      });
  EXPECT_THAT(std::string(shape.message()), HasSubstr("3 x 1 values"));
  const absl::Status text = Edited("0123456789abcdef0-GPTDataset-train-description.txt",
                                   [](std::string& description) { description.resize(40); });
  EXPECT_THAT(std::string(text.message()), HasSubstr("0-GPTDataset-train-description.txt: not JSON at byte"));
}

TEST(NpyTest, ReadsWhatNumpyWrites) {
  const TempDir dir;
  const std::string path = JoinPath(dir.path(), "x.npy");
  WriteText(path, Npy("<i2", {2, 2}, {1, -2, 32767, -32768}));
  const NpyFile file = NpyFile::Open(path).value();
  EXPECT_THAT(file.header().shape, ::testing::ElementsAre(2, 2));
  std::vector<int64_t> values(3);
  ASSERT_TRUE(file.Read(1, values).ok());
  EXPECT_THAT(values, ::testing::ElementsAre(-2, 32767, -32768));
  // Cut short after it was opened.
  WriteText(path, Npy("<i2", {2, 2}, {1, -2, 32767, -32768}).substr(0, 130));
  EXPECT_TRUE(absl::IsDataLoss(file.Read(0, values)));
  EXPECT_FALSE(NpyFile::Open(dir.path()).ok());
}

TEST(NpyTest, HostileHeadersAreRefused) {
  const std::string good = Npy("<i4", {3}, {7, 8, 9});
  const auto parse = [](const std::string& text) {
    return ParseNpyHeader(text, static_cast<int64_t>(text.size())).status();
  };
  ASSERT_TRUE(parse(good).ok()) << parse(good);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"<i4", ">i4"},
           {"<i4", "<f4"},
           {"<i4", "|O8"},
           {"<i4", "<u8"},
           {"<i4", "|i4"},
           {"'<i4'", "[('a', '<i4')]"},
           {"False", "0    "},
           {"(3,)", "(4,)"},
           {"(3,)", "(-3,)"},
           {"(3,)", "()"},
           {"(3,)", "(1,1,3)"},
           {"(3,)", "(99999999999999999999,)"},
           {"(3,)", "(4294967296, 4294967296)"},
           {"'shape'", "'shade'"},
           {"'fortran_order': False, ", ""},
           {"'fortran_order': False", "'shape': (3,)"},
           {"{", "["},
           {"}", " "},
           {"NUMPY", "NUMPI"},
           {std::string("\x01\0", 2), std::string("\x04\0", 2)},
           {std::string("\x76\0", 2), std::string("\xff\xff", 2)}}) {
    std::string bad = good;
    const size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    EXPECT_FALSE(parse(bad).ok()) << bad;
  }
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse(good.substr(0, size)).ok()) << size;
}

}  // namespace
}  // namespace galley::data
