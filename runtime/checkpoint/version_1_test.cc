// v1_checkpoint/ was written by the last Galley whose manifests were of version 1: two ranks, four
// tensors of eight cut between rows.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"
#include "tests/support/paths.h"

namespace galley::checkpoint {
namespace {

const std::string kFolder = SourceDir() + "/runtime/checkpoint/v1_checkpoint/step-12";

// The state that it holds: byte k of tensor i is 31 i + 7 k + 1.
class Version1 : public testing::Test {
 protected:
  Version1() : buffer_(Device(), 4096) {
    Add("model.wte", DType::kF32, {5, 4}, 3);
    Add("model.half", DType::kBF16, {7, 3}, 2);
    Add("model.ln_f.gain", DType::kF32, {6}, 6);
    Add("optim.count", DType::kI64, {}, 0);
    Add("optim.empty", DType::kF32, {0, 3}, 0);
    Add("optim.m.wte", DType::kF32, {5, 4}, 1);
    Add("optim.bytes", DType::kU8, {7}, 0);
    Add("optim.scale", DType::kF64, {2, 1, 3}, 1);
    ranks_[0].push_back(items_[4]);  // one without rows is written by the first rank
    ranks_[1].erase(ranks_[1].begin() + 3);
  }

  // Rank 0 has `rows` of it, rank 1 the others.
  void Add(const char* name, DType dtype, const std::vector<int64_t>& shape, int64_t rows) {
    const View view(buffer_.data() + used_, dtype, galley::Shape(std::span<const int64_t>(shape)));
    used_ += (view.bytes() + 63) / 64 * 64;
    items_.push_back(Item::Whole(name, view));
    const int64_t all = shape.empty() ? 1 : shape[0];
    if (rows == 0 || rows == all) {
      ranks_[rows == 0 ? 1 : 0].push_back(items_.back());
      return;
    }
    for (int rank : {0, 1}) {
      Item part = items_.back();
      part.slice.begin[0] = rank == 0 ? 0 : rows;
      part.slice.size[0] = rank == 0 ? rows : all - rows;
      part.view = view.Rows(part.slice.begin[0], part.slice.size[0]);
      ranks_[rank].push_back(part);
    }
  }

  void Fill() {
    for (size_t i = 0; i < items_.size(); ++i) {
      auto* bytes = static_cast<uint8_t*>(items_[i].view.data);
      for (int64_t k = 0; k < items_[i].view.bytes(); ++k) {
        bytes[k] = static_cast<uint8_t>(31 * static_cast<int64_t>(i) + 7 * k + 1);
      }
    }
  }
  std::string Bytes() const {
    std::string out;
    for (const Item& item : items_) {
      out.append(static_cast<const char*>(item.view.data), static_cast<size_t>(item.view.bytes()));
    }
    return out;
  }

  Buffer buffer_;
  int64_t used_ = 0;
  std::vector<Item> items_;     // whole
  std::vector<Item> ranks_[2];  // as its two ranks shared them out
};

TEST_F(Version1, IsReadAndVerified) {
  auto manifest = Open(kFolder, true);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->info.step, 12);
  EXPECT_EQ(manifest->info.attempt, 3);
  EXPECT_EQ(IntFact(manifest->info.state, "samples").value(), 192);
  EXPECT_EQ(TextFact(manifest->info.state, "recipe_hash").value(), "0123456789abcdef");
  EXPECT_EQ(manifest->tensors.at("model.half").parts,
            (std::vector<TensorPart>{{0, {{0, 0}, {2, 3}}}, {1, {{2, 0}, {5, 3}}}}));
  EXPECT_EQ(manifest->tensors.at("optim.count").parts, (std::vector<TensorPart>{{1, {}}}));
  EXPECT_TRUE(Verify(kFolder).empty());
}

TEST_F(Version1, LoadsWholeAndByColumns) {
  Fill();
  const std::string expected = Bytes();
  std::memset(buffer_.data(), 0, static_cast<size_t>(used_));
  ASSERT_TRUE(Load(HostStream(), kFolder, items_).ok());
  EXPECT_EQ(Bytes(), expected);

  float middle[10];  // columns 1 and 2 of model.wte
  const Item item{"model.wte", {5, 4}, {{0, 1}, {5, 2}}, View(middle, DType::kF32, {5, 2})};
  ASSERT_TRUE(Load(HostStream(), kFolder, {item}, {"model.", "optim."}).ok());
  for (int64_t row = 0; row < 5; ++row) {
    EXPECT_EQ(std::memcmp(middle + 2 * row, items_[0].view.As<float>() + 4 * row + 1, 8), 0) << row;
  }
}

// Tensors that are whole or cut between rows are written as ever, byte for byte; the manifest is of
// version 2.
TEST_F(Version1, ShardsOfTheSameStateAreTheSameBytes) {
  Fill();
  TempDir dir;
  std::vector<ShardReport> reports;
  for (int rank : {0, 1}) {
    auto writer = Writer::Create(dir.path(), rank, 2, TotalBytes(ranks_[rank]));
    ASSERT_TRUE(
        (*writer)
            ->Snapshot(HostStream(), 12, 3, ranks_[rank], [&](const ShardReport& r) { reports.push_back(r); })
            .ok());
  }
  auto old = Open(kFolder, true);
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(Commit(dir.path(), old->info, reports).ok());
  const std::string saved = StepPath(dir.path(), 12);
  for (const ShardReport& shard : old->shards) {
    EXPECT_EQ(Slurp(JoinPath(saved, shard.file)), Slurp(JoinPath(kFolder, shard.file)));
  }
  EXPECT_THAT(Slurp(JoinPath(saved, "manifest.json")), testing::HasSubstr("\"version\": 2"));
  auto now = Open(saved, true);
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->tensors, old->tensors);
  EXPECT_EQ(now->info.state, old->info.state);
}

}  // namespace
}  // namespace galley::checkpoint
