#include "runtime/checkpoint/manifest.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/hash.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/checkpoint/test_state.h"

namespace galley::checkpoint {
namespace {

using testing::HasSubstr;

std::string Sealed(const std::string& body) {
  return absl::StrCat(body, "  \"xxh3\": \"", Hex(Hash64(body)), "\"\n}\n");
}

// A manifest of two shards and one tensor.
std::string TextOf(int version, const std::string& tensor) {
  return Sealed(
      absl::StrCat("{\n\"format\": \"galley-checkpoint\", \"version\": ", version,
                   ", \"step\": 3, \"state\": {},\n", "\"origin\": {\"attempt\": 1}, \"shards\": [\n",
                   "{\"file\": \"shard-00000-of-00002.safetensors\", \"bytes\": 10, \"xxh3\": \"aa\"},\n",
                   "{\"file\": \"shard-00001-of-00002.safetensors\", \"bytes\": 10, \"xxh3\": \"bb\"}],\n",
                   "\"tensors\": {\"t\": ", tensor, "},\n"));
}

std::string Tensor(const std::string& shape, const std::string& parts) {
  return absl::StrCat("{\"dtype\": \"F32\", \"shape\": [", shape, "], \"parts\": [", parts, "]}");
}

TEST(Manifest, BothVersionsSayTheSame) {
  auto first = ParseManifest(TextOf(1, Tensor("4,3", "[1,1,3],[0,0,1]")));
  auto second = ParseManifest(TextOf(2, Tensor("4,3", "[1,[1,0],[3,3]],[0,[0,0],[1,3]]")));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->tensors, second->tensors);
  EXPECT_EQ(first->tensors.at("t").parts,
            (std::vector<TensorPart>{{0, {{0, 0}, {1, 3}}}, {1, {{1, 0}, {3, 3}}}}));
  EXPECT_EQ(ManifestText(*first).value(), ManifestText(*second).value());
}

TEST(Manifest, AnySlicesThatCoverOnceAreFine) {
  for (const auto& [shape, parts] : std::vector<std::pair<std::string, std::string>>{
           {"", "[0,[],[]]"},
           {"0,3", "[1,[0,0],[0,3]]"},
           {"2,4", "[0,[0,0],[2,2]],[1,[0,2],[2,2]]"},
           {"3,3", "[0,[0,0],[1,2]],[0,[0,2],[2,1]],[1,[2,1],[1,2]],[1,[1,0],[2,1]],[0,[1,1],[1,1]]"},
           {"2,2,2,2", "[0,[0,0,0,0],[2,2,2,1]],[1,[0,0,0,1],[2,2,2,1]]"}}) {
    auto manifest = ParseManifest(TextOf(2, Tensor(shape, parts)));
    EXPECT_TRUE(manifest.ok()) << manifest.status();
  }
}

struct Bad {
  int version;
  const char* shape;
  const char* parts;
  const char* says;
};
class BadManifest : public testing::TestWithParam<Bad> {};

TEST_P(BadManifest, IsRefusedWithFileAndReason) {
  TempDir dir;
  const Bad& bad = GetParam();
  const std::string folder = JoinPath(dir.path(), "step-3");
  const std::string file = JoinPath(folder, "manifest.json");
  ASSERT_TRUE(MakeDirs(folder).ok());
  Spill(file, TextOf(bad.version, Tensor(bad.shape, bad.parts)));
  const absl::Status status = Open(folder, false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(),
              testing::AllOf(HasSubstr(file), HasSubstr("tensor t: "), HasSubstr(bad.says)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadManifest,
    testing::Values(
        // Holes and overlaps.
        Bad{2, "4,3", "[0,[0,0],[2,3]]", "element [2,0] is in no shard"},
        Bad{2, "4,3", "", "element [0,0] is in no shard"},
        Bad{2, "4,3", "[0,[0,0],[4,2]],[1,[1,2],[3,1]]", "element [0,2] is in no shard"},
        Bad{2, "4,3", "[0,[0,0],[4,3]],[1,[0,0],[4,3]]", "element [0,0] is in 2 slices"},
        Bad{2, "4,3", "[0,[0,0],[3,3]],[1,[2,0],[2,3]]", "element [2,0] is in 2 slices"},
        Bad{2, "4,3", "[0,[0,0],[2,3]],[1,[1,1],[2,3]]", "at [1,1], not a slice of [4,3]"},
        // As many elements as the tensor, but not each of them.
        Bad{2, "2,2", "[0,[0,0],[2,1]],[1,[0,0],[1,2]]", "element [0,0] is in 2 slices"},
        Bad{2, "", "[0,[],[]],[1,[],[]]", "element [] is in 2 slices"},
        Bad{2, "0,3", "[0,[0,0],[0,3]],[1,[0,0],[0,3]]", "has no elements and is in 2 shards"},
        Bad{2, "0,3", "[0,[0,0],[0,1]]", "has no elements"}, Bad{2, "0,3", "", "has no elements"},
        Bad{2, "2,3", "[0,[0,0],[2,3]],[1,[1,1],[0,1]]", "not a slice of [2,3]"},
        // Outside of the tensor, and huge numbers.
        Bad{2, "4,3", "[0,[1,0],[4,3]]", "holds size [4,3] at [1,0], not a slice of [4,3]"},
        Bad{2, "4,3", "[0,[0,0],[4]]", "not a slice of [4,3]"},
        Bad{2, "4", "[0,[0,0],[4,1]]", "not a slice of [4]"},
        Bad{2, "4", "[0,[9223372036854775807],[9223372036854775807]]", "not a slice of [4]"},
        Bad{2, "4", "[0,[0],[18446744073709551615]]", "18446744073709551615 as a size"},
        Bad{2, "4", "[0,[-1],[5]]", "-1 as a size"}, Bad{2, "4", "[0,[0.0],[4]]", "0.0 as a size"},
        Bad{2, "9223372036854775807", "[0,[0],[9223372036854775807]]", "overflows"},
        Bad{2, "4294967296,4294967296", "[0,[0,0],[4294967296,4294967296]]", "overflows"},
        Bad{2, "0,4611686018427387904,4", "[0,[0,0,0],[0,4611686018427387904,4]]", "overflows"},
        Bad{2, "1,1,1,1,1", "[0,[0,0,0,0,0],[1,1,1,1,1]]", "5 dimensions; at most 4"},
        // Shards, and parts of another form.
        Bad{2, "4", "[2,[0],[4]]", "part [2,[0],[4]] of 2 shards"},
        Bad{2, "4", "[-1,[0],[4]]", "part [-1,[0],[4]] of 2 shards"},
        Bad{2, "4", "[4294967296,[0],[4]]", "of 2 shards"},
        Bad{2, "4", "[-9223372036854775808,[0],[4]]", "of 2 shards"},
        Bad{2, "4", "[0,0,4]", "part [0,0,4] is not [shard, [begin], [size]]"},
        Bad{2, "4", "[0,[0]]", "is not [shard, [begin], [size]]"},
        Bad{2, "4", "[0,[0],[4],1]", "is not [shard, [begin], [size]]"},
        Bad{2, "4", "7", "is not [shard, [begin], [size]]"},
        // Version 1: rows.
        Bad{1, "4,3", "[0,0,2],[1,3,1]", "element [2,0] is in no shard"},
        Bad{1, "4,3", "[0,0,3],[1,2,2]", "element [2,0] is in 2 slices"},
        Bad{1, "4,3", "[0,0,5]", "not a slice of [4,3]"},
        Bad{1, "4,3", "[0,1,9223372036854775807]", "not a slice of [4,3]"},
        Bad{1, "4", "[4294967296,0,4]", "of 2 shards"},
        Bad{1, "", "[0,0,2]", "is not [shard, first row, rows]"}, Bad{1, "4", "[0,[0],[4]]", "as a size"},
        Bad{1, "4", "[0,0]", "is not [shard, first row, rows]"}));

// What a shard's header says of its slices is no more trusted than the manifest.
TEST(Shard, FactsThatCanNotBeAreRefused) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "shard-00000-of-00001.safetensors");
  const auto read = [&](const std::string& fact) {
    std::vector<StoredTensor> tensors = {{.name = "t", .dtype = "F32", .shape = {2, 3}}};
    AssignOffsets(tensors);
    Spill(path, absl::StrCat(HeaderText(tensors, {{"galley:t", fact}}), std::string(24, 'x')));
    return ReadShardIndex(path);
  };
  const std::string sum = "xxh3=0123456789abcdef";
  auto whole = read(sum);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->parts[0].slice, plan::Slice::Whole({2, 3}));
  auto rows = read(sum + " rows=5 of=7");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->parts[0].slice, (plan::Slice{{5, 0}, {2, 3}}));
  EXPECT_EQ(rows->parts[0].shape, (std::vector<int64_t>{7, 3}));
  auto slice = read(sum + " begin=1,4 of=3,9 tensor=a b=c");
  ASSERT_TRUE(slice.ok()) << slice.status();
  EXPECT_EQ(slice->parts[0].name, "a b=c");
  EXPECT_EQ(slice->parts[0].slice, (plan::Slice{{1, 4}, {2, 3}}));
  EXPECT_EQ(slice->parts[0].shape, (std::vector<int64_t>{3, 9}));
  for (const char* fact :
       {" rows=6 of=7", " rows=-1 of=7", " rows=9223372036854775807 of=9223372036854775807", " rows=5",
        " rows=5 of=7 ", " rows=5,0 of=7,3", " rows= of=", " begin=1,4 of=3", " begin=1 of=3",
        " begin=1,4 of=3,6", " begin=2,0 of=3,3", " begin=0,0,0 of=2,3,1", " begin=0,0,0,0,0 of=2,3,1,1,1",
        " begin=1,4 of=3,9 tensor", " begin=1,4 of=3,9 x=1", " tensor=a", " ",
        " begin=99999999999999999999,0 of=3,3"}) {
    const absl::Status status = read(sum + fact).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << fact;
    EXPECT_THAT(status.message(), testing::AllOf(HasSubstr(path), HasSubstr("tensor t"), HasSubstr(fact)));
  }
  for (const char* fact : {"", "xxh3=", "xxh3=0123", "xxh3=0123456789abcdef0 rows=0 of=2", "rows=0 of=2"}) {
    EXPECT_THAT(read(fact).status().message(), HasSubstr("no checksum")) << fact;
  }
}

}  // namespace
}  // namespace galley::checkpoint
