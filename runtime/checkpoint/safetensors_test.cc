#include "runtime/checkpoint/safetensors.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/file.h"

namespace galley::checkpoint {
namespace {

using testing::HasSubstr;

std::string File(absl::string_view header, int64_t data_bytes) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(header.size() >> (8 * i));
  return absl::StrCat(out, header, std::string(static_cast<size_t>(data_bytes), '\0'));
}

absl::StatusOr<SafetensorsHeader> Parse(const std::string& file) {
  return ParseSafetensors(file, static_cast<int64_t>(file.size()));
}

TEST(Safetensors, GoldenFile) {
  // {"a": F32 [2] = 1, 2}, as the format's own library writes it.
  const std::string golden = absl::HexStringToBytes(
      "38000000000000007b2261223a7b226474797065223a22463332222c227368617065223a5b325d2c22646174615f6f66667365"
      "7473"
      "223a5b302c385d7d7d20200000803f00000040");
  auto header = Parse(golden);
  ASSERT_TRUE(header.ok()) << header.status();
  ASSERT_EQ(header->tensors.size(), 1u);
  EXPECT_EQ(header->tensors[0].name, "a");
  EXPECT_EQ(header->tensors[0].dtype, "F32");
  EXPECT_EQ(header->data_begin, 64);

  std::vector<StoredTensor> tensors = {{.name = "a", .dtype = "F32", .shape = {2}}};
  AssignOffsets(tensors);
  EXPECT_EQ(HeaderText(tensors, {}), golden.substr(0, 64));
}

TEST(Safetensors, LargestElementsComeFirstAndDataBeginAt64) {
  std::vector<StoredTensor> tensors = {{.name = "bytes", .dtype = "U8", .shape = {3}},
                                       {.name = "z", .dtype = "F32", .shape = {1}},
                                       {.name = "a", .dtype = "F32", .shape = {2, 0}},
                                       {.name = "scalar", .dtype = "I64"},
                                       {.name = "half", .dtype = "BF16", .shape = {1, 1}}};
  AssignOffsets(tensors);
  std::vector<std::string> names;
  for (const auto& t : tensors) names.push_back(t.name);
  EXPECT_THAT(names, testing::ElementsAre("scalar", "a", "z", "half", "bytes"));
  const std::string text = HeaderText(tensors, {{"format", "pt"}, {"quote\"", "line\n"}});
  EXPECT_EQ(text.size() % 64, 0u);
  auto header = ParseSafetensors(text, static_cast<int64_t>(text.size()) + 17);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->metadata.at("quote\""), "line\n");
  EXPECT_EQ(header->data_bytes(), 17);
}

TEST(Safetensors, ReadsTypesItDoesNotComputeWith) {
  auto header = Parse(File(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                           R"("q":{"dtype":"F4","shape":[2,3],"data_offsets":[4,7]}})",
                           7));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_FALSE(DTypeOfSafetensors("F16").has_value());
  EXPECT_EQ(DTypeOfSafetensors("BF16"), DType::kBF16);
}

struct Hostile {
  const char* header;
  int64_t data;
  const char* says;
};
class HostileHeader : public testing::TestWithParam<Hostile> {};

TEST_P(HostileHeader, IsRefusedWithItsReason) {
  auto header = Parse(File(GetParam().header, GetParam().data));
  ASSERT_EQ(header.status().code(), absl::StatusCode::kDataLoss) << GetParam().header;
  EXPECT_THAT(header.status().message(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileHeader,
    testing::Values(
        Hostile{"", 0, "does not begin with {"}, Hostile{" {}", 0, "does not begin with {"},
        Hostile{"[]", 0, "does not begin with {"}, Hostile{"{}x", 0, "not JSON"},
        Hostile{"{}", 1, "the tensors take 0 bytes, the file has 1"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "with a gap"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                12, "\"b\" begins at 8 of the data, with a gap"},
        Hostile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                8, "over the one"},
        Hostile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9,
                "take 8 bytes, the file has 9"},
        Hostile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7,
                "take 8 bytes, the file has 7"},
        Hostile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "needs 8 bytes"},
        Hostile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "needs 8 bytes"},
        Hostile{R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
                "overflows"},
        Hostile{
            R"({"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}})", 4,
            "overflows"},
        Hostile{R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4,
                "not a size"},
        Hostile{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "not a size"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "not a size"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "not a pair"},
        Hostile{R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "unknown dtype"},
        Hostile{R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", 1, "whole bytes"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1]}})", 4, "lacks"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "unknown key"},
        Hostile{R"({"a":3})", 0, "is not an object"},
        Hostile{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                4, "comes twice"},
        Hostile{R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "comes twice"},
        Hostile{R"({"__metadata__":{"a":1}})", 0, "is not a string"},
        Hostile{R"({"__metadata__":[]})", 0, "is not an object"},
        Hostile{R"({"a":{"dtype":"F32","shape":[[[[1]]]],"data_offsets":[0,4]}})", 4, "nested deeper"}));

TEST(Safetensors, LengthsThatLieAreRefusedBeforeAnythingIsRead) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "x.safetensors");
  for (const auto& [bytes, says] : std::vector<std::pair<std::string, std::string>>{
           {"", "ends after 0 bytes"},
           {"1234567", "ends after 7 bytes"},
           {std::string(8, '\xff'), "at most 100000000"},
           {absl::HexStringToBytes("00e1f50500000000") + "{", "within the header of 100000000 bytes"},
           {absl::HexStringToBytes("01e1f50500000000") + "{", "at most 100000000"}}) {
    auto writer = FileWriter::Open(path, FileWriter::Mode::kTruncate);
    ASSERT_TRUE(writer.ok() && writer->Write(bytes).ok());
    const absl::Status status = ReadSafetensorsHeader(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), testing::AllOf(HasSubstr(path), HasSubstr(says)));
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  std::vector<StoredTensor> tensors = {{.name = "a", .dtype = "F32", .shape = {5}}};
  AssignOffsets(tensors);
  const std::string whole = HeaderText(tensors, {{"format", "pt"}}) + std::string(20, 'x');
  ASSERT_TRUE(Parse(whole).ok());
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(Parse(whole.substr(0, n)).ok()) << n;
}

}  // namespace
}  // namespace galley::checkpoint
