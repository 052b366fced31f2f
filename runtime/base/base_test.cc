#include <gtest/gtest.h>

#include <cmath>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/rng.h"
#include "runtime/base/status.h"

namespace galley {
namespace {

TEST(File, AtomicWriteReplacesWholeAndLeavesNoTemporary) {
  TempDir dir;
  std::string path = JoinPath(dir.path(), "a");
  ASSERT_TRUE(AtomicWrite(path, "one").ok());
  ASSERT_TRUE(AtomicWrite(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(ListDir(dir.path())->size(), 1u);
}

TEST(File, ErrorsNameThePathAndTheKind) {
  absl::Status missing = ReadFile("/nonexistent/x").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("/nonexistent/x"), std::string::npos);
  TempDir dir;
  std::string path = JoinPath(dir.path(), "long");
  ASSERT_TRUE(AtomicWrite(path, "12345").ok());
  EXPECT_EQ(ReadFile(path, 4).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(MakeDirs(JoinPath(path, "below")).ok());
}

TEST(File, MappedFileShowsTheBytes) {
  TempDir dir;
  std::string path = JoinPath(dir.path(), "m");
  ASSERT_TRUE(AtomicWrite(path, "mapped").ok());
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->text(), "mapped");
}

// Known answers of Random123's kat_vectors for philox4x32-10.
TEST(Rng, PhiloxKnownAnswers) {
  auto zero = Philox(0, 0).At(0);
  EXPECT_EQ(zero, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  auto ones = Philox(~uint64_t{0}, ~uint64_t{0}).At(~uint64_t{0});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Rng, NormalHasUnitMoments) {
  Philox rng(7, 3);
  double sum = 0, square = 0;
  constexpr int kN = 100000;
  for (int i = 0; i < kN; ++i) {
    double x = rng.Normal(i);
    sum += x;
    square += x * x;
  }
  EXPECT_NEAR(sum / kN, 0, 0.02);
  EXPECT_NEAR(square / kN, 1, 0.02);
}

TEST(Hash, StreamEqualsWhole) {
  std::string text(100000, 'x');
  Hasher h;
  auto bytes = std::as_bytes(std::span(text));
  h.Add(bytes.first(777));
  h.Add(bytes.subspan(777));
  EXPECT_EQ(h.Digest(), Hash64(text));
  EXPECT_EQ(Hex(255), "00000000000000ff");
}

TEST(CheckDeathTest, PrintsPlaceAndValues) {
  int a = 3;
  EXPECT_DEATH(CHECK_EQ(a, 4) << "more", "base_test.cc.*3 vs 4.*more");
}

}  // namespace
}  // namespace galley
