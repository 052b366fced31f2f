// Bytes that are not what was written: each fault is noticed, names its file and its position, and leaves the
// checkpoint before it to load.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/hash.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"

namespace galley::checkpoint {
namespace {

using testing::HasSubstr;

class Damage : public testing::Test {
 protected:
  Damage() : older_(1), newer_(2), loaded_(3) {
    CHECK(SaveAll(dir_.path(), older_, 2, 10).ok());
    CHECK(SaveAll(dir_.path(), newer_, 2, 20).ok());
  }

  // `file` of the newer checkpoint is damaged: Open, Verify, Load and FindLatest must all see it.
  void ExpectFound(const std::string& file, const std::string& what) {
    SCOPED_TRACE(what);
    const std::string newer = StepPath(dir_.path(), 20);
    const absl::Status opened = Open(newer, true).status();
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(opened.message(), HasSubstr(file));
    EXPECT_THAT(opened.message(),
                testing::AnyOf(HasSubstr("use another checkpoint"), HasSubstr("move it out")));
    const std::vector<Fault> faults = Verify(newer);
    ASSERT_FALSE(faults.empty());
    EXPECT_EQ(faults[0].status, opened);
    EXPECT_FALSE(Load(HostStream(), newer, loaded_.items()).ok());

    std::vector<std::string> skipped;
    auto latest = FindLatest(dir_.path(), &skipped);
    ASSERT_TRUE(latest.ok()) << latest.status();
    EXPECT_EQ(*latest, StepPath(dir_.path(), 10));
    ASSERT_FALSE(skipped.empty());
    EXPECT_EQ(skipped[0], opened.message());
    ASSERT_TRUE(Load(HostStream(), *latest, loaded_.items()).ok());
    EXPECT_TRUE(loaded_.Bytes() == older_.Bytes());
  }

  void FlipBits(const std::string& name, uint64_t seed) {
    const std::string path = JoinPath(StepPath(dir_.path(), 20), name);
    const std::string intact = Slurp(path);
    Philox rng(seed, 1);
    for (uint64_t i = 0; i < 50; ++i) {
      const auto draw = rng.At(i);
      // Half of them in the first KiB, where the structure is.
      const size_t at = draw[0] % (i % 2 == 0 ? std::min<size_t>(intact.size(), 1024) : intact.size());
      std::string bad = intact;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (draw[1] % 8)));
      Spill(path, bad);
      ExpectFound(path, absl::StrCat("bit ", draw[1] % 8, " of byte ", at));
    }
    Spill(path, intact);
    EXPECT_TRUE(Open(StepPath(dir_.path(), 20), true).ok());
  }

  void Truncate(const std::string& name) {
    const std::string path = JoinPath(StepPath(dir_.path(), 20), name);
    const std::string intact = Slurp(path);
    std::vector<size_t> sizes = {0, 1, 7, 8, 9, 63, 64, 65, intact.size() - 1, intact.size() / 2};
    Philox rng(5, 2);
    for (uint64_t i = 0; i < 10; ++i) sizes.push_back(rng.At(i)[0] % intact.size());
    for (size_t size : sizes) {
      Spill(path, intact.substr(0, size));
      ExpectFound(path, absl::StrCat(size, " bytes left"));
    }
    Spill(path, intact + "x");
    ExpectFound(path, "a byte more");
    Spill(path, intact);
  }

  TempDir dir_;
  TestState older_, newer_, loaded_;
};

constexpr char kFirst[] = "shard-00000-of-00002.safetensors";
constexpr char kSecond[] = "shard-00001-of-00002.safetensors";

TEST_F(Damage, BitsOfAShard) { FlipBits(kSecond, 11); }
TEST_F(Damage, BitsOfTheManifest) { FlipBits("manifest.json", 12); }
TEST_F(Damage, TruncatedShard) { Truncate(kFirst); }
TEST_F(Damage, TruncatedManifest) { Truncate("manifest.json"); }

TEST_F(Damage, BitsOfLatest) {
  const std::string path = JoinPath(dir_.path(), "latest");
  const std::string intact = Slurp(path);
  ASSERT_EQ(intact, "step-20\n");
  for (size_t bit = 0; bit < intact.size() * 8; ++bit) {
    std::string bad = intact;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    Spill(path, bad);
    std::vector<std::string> skipped;
    EXPECT_EQ(FindLatest(dir_.path(), &skipped).value(), StepPath(dir_.path(), 20));
    ASSERT_EQ(skipped.size(), 1u) << bit;
    EXPECT_THAT(skipped[0], testing::AllOf(HasSubstr(path), HasSubstr("does not name step-20")));
  }
  std::filesystem::remove(path);
  std::vector<std::string> skipped;
  EXPECT_EQ(FindLatest(dir_.path(), &skipped).value(), StepPath(dir_.path(), 20));
  EXPECT_THAT(skipped, testing::ElementsAre(HasSubstr("should name step-20")));
}

TEST_F(Damage, NamesTheTensor) {
  const std::string path = JoinPath(StepPath(dir_.path(), 20), kSecond);
  std::string bytes = Slurp(path);
  bytes[bytes.size() - 1] ^= 1;  // the last data of rank 1: its smallest element type
  Spill(path, bytes);
  EXPECT_THAT(Open(StepPath(dir_.path(), 20), true).status().message(),
              HasSubstr("checksum differs in tensor optim.bytes (bytes "));
}

TEST_F(Damage, MissingShard) {
  const std::string path = JoinPath(StepPath(dir_.path(), 20), kSecond);
  std::filesystem::remove(path);
  ExpectFound(path, "missing");
  EXPECT_TRUE(absl::IsNotFound(Open(StepPath(dir_.path(), 20), false).status()));
}

TEST_F(Damage, SwappedShards) {
  const std::string folder = StepPath(dir_.path(), 20);
  std::filesystem::rename(JoinPath(folder, kFirst), JoinPath(folder, "x"));
  std::filesystem::rename(JoinPath(folder, kSecond), JoinPath(folder, kFirst));
  std::filesystem::rename(JoinPath(folder, "x"), JoinPath(folder, kSecond));
  ExpectFound(JoinPath(folder, kFirst), "swapped");
}

TEST_F(Damage, ShardOfAnotherStep) {
  const std::string file = JoinPath(StepPath(dir_.path(), 20), kFirst);
  std::filesystem::copy_file(JoinPath(StepPath(dir_.path(), 10), kFirst), file,
                             std::filesystem::copy_options::overwrite_existing);
  ExpectFound(file, "same names and sizes, other bytes");
}

TEST_F(Damage, RenamedShard) {
  const std::string folder = StepPath(dir_.path(), 20);
  std::filesystem::rename(JoinPath(folder, kFirst), JoinPath(folder, "shard-00000-of-00001.safetensors"));
  ExpectFound(JoinPath(folder, kFirst), "renamed");
  EXPECT_EQ(Verify(folder).size(), 2u);  // one is missing, one is too many
}

TEST_F(Damage, ExtraShard) {
  const std::string folder = StepPath(dir_.path(), 20);
  const std::string extra = JoinPath(folder, "shard-00002-of-00003.safetensors");
  std::filesystem::copy_file(JoinPath(folder, kFirst), extra);
  ExpectFound(extra, "extra");
}

TEST_F(Damage, ForeignManifest) {
  const std::string file = JoinPath(StepPath(dir_.path(), 20), "manifest.json");
  std::filesystem::copy_file(JoinPath(StepPath(dir_.path(), 10), "manifest.json"), file,
                             std::filesystem::copy_options::overwrite_existing);
  ExpectFound(file, "of another step");
  EXPECT_THAT(Open(StepPath(dir_.path(), 20), false).status().message(),
              HasSubstr("is the manifest of step 10"));
}

TEST_F(Damage, ManifestOfAnotherNumberOfRanks) {
  TempDir other;
  ASSERT_TRUE(SaveAll(other.path(), newer_, 3, 20).ok());
  std::filesystem::copy_file(JoinPath(StepPath(other.path(), 20), "manifest.json"),
                             JoinPath(StepPath(dir_.path(), 20), "manifest.json"),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectFound("shard-00000-of-00003.safetensors", "missing");
}

TEST_F(Damage, AManifestOfAnotherVersionSaysSo) {
  const std::string path = JoinPath(StepPath(dir_.path(), 20), "manifest.json");
  std::string text = Slurp(path);
  const size_t body = text.rfind("  \"xxh3\"");
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 3");
  text = text.substr(0, body) + "  \"xxh3\": \"" + Hex(Hash64(text.substr(0, body))) + "\"\n}\n";
  Spill(path, text);
  const absl::Status status = Open(StepPath(dir_.path(), 20), false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              HasSubstr("version 3; this Galley reads versions 1 to 2: use the one that wrote it"));
}

TEST_F(Damage, VerifyListsEveryFault) {
  const std::string folder = StepPath(dir_.path(), 20);
  for (const char* shard : {kFirst, kSecond}) {
    std::string bytes = Slurp(JoinPath(folder, shard));
    bytes[bytes.size() / 2] ^= 1;
    Spill(JoinPath(folder, shard), bytes);
  }
  EXPECT_EQ(Verify(folder).size(), 2u);
  EXPECT_TRUE(Verify(StepPath(dir_.path(), 10)).empty());
}

}  // namespace
}  // namespace galley::checkpoint
