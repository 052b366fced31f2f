// Checkpoints saved by one mesh and loaded by another.
#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/test_state.h"
#include "runtime/plan/sharding.h"

namespace galley::checkpoint {
namespace {

using plan::ParamPart;
using plan::ParamSpec;
using plan::Slice;
using plan::Split;

constexpr DType kDType = DType::kF32;

ParamSpec Param(std::string name, std::vector<int64_t> shape, std::vector<ParamPart> parts) {
  ParamSpec param;
  param.name = std::move(name);
  param.shape = std::move(shape);
  param.parts = std::move(parts);
  return param;
}

// A model's shapes: 8 heads of 2 rows in 4 groups, an MLP of 7 and a vocabulary of 13, which no number of
// ranks here divides, and matrices above the 1 MiB that are read at a time.
std::vector<ParamSpec> Params() {
  return {
      Param("wte", {13, 6}, {{"", 13, Split::kRows}}),
      Param("wpe", {5, 6}, {{"", 5, Split::kNone}}),
      Param("gain", {6}, {{"", 6, Split::kNone}}),
      Param("qkv", {32, 6}, {{"q", 16, Split::kRows}, {"k", 8, Split::kRows}, {"v", 8, Split::kRows}}),
      Param("qkv.bias", {32}, {{"q", 16, Split::kRows}, {"k", 8, Split::kRows}, {"v", 8, Split::kRows}}),
      Param("out", {6, 16}, {{"", 6, Split::kCols}}),
      Param("gate_up", {14, 6}, {{"gate", 7, Split::kRows}, {"up", 7, Split::kRows}}),
      Param("down", {6, 7}, {{"", 6, Split::kCols}}),
      Param("large.gate_up", {802, 500}, {{"gate", 401, Split::kRows}, {"up", 401, Split::kRows}}),
      Param("large.down", {500, 803}, {{"", 500, Split::kCols}}),
      Param("scalar.like", {1}, {{"", 1, Split::kNone}}),
  };
}

// What one rank holds: slices of every parameter, packed in its own memory.
class Rank {
 public:
  using SlicesOf = std::function<std::vector<Slice>(const ParamSpec&)>;
  explicit Rank(const SlicesOf& slices_of) {
    int64_t elements = 0;
    for (const ParamSpec& param : Params()) {
      for (Slice& slice : slices_of(param)) {
        elements += slice.elements();
        items_.push_back({.name = param.name, .shape = param.shape, .slice = std::move(slice), .view = {}});
      }
    }
    memory_.resize(static_cast<size_t>(elements), -1.0F);
    float* at = memory_.data();
    for (Item& item : items_) {
      item.view = View(at, kDType, galley::Shape(std::span<const int64_t>(item.slice.size)));
      at += item.slice.elements();
    }
  }

  const std::vector<Item>& items() const { return items_; }

  // Calls f with each element's memory and the value that it has in every mesh.
  void ForEach(const std::function<void(float& here, float value)>& f) {
    uint64_t at = 0;
    for (const Item& item : items_) {
      for (int64_t i = 0; i < item.slice.elements(); ++i) {
        int64_t flat = 0;  // in the whole tensor
        int64_t inner = item.slice.elements(), rest = i;
        for (size_t d = 0; d < item.shape.size(); ++d) {
          inner /= item.slice.size[d];
          flat = flat * item.shape[d] + item.slice.begin[d] + rest / inner;
          rest %= inner;
        }
        f(memory_[at++], static_cast<float>(flat) + 0.25F * static_cast<float>(item.name.size()));
      }
    }
  }
  void Fill() {
    ForEach([](float& here, float value) { here = value; });
  }
  int64_t Differences() {
    int64_t n = 0;
    ForEach([&](float& here, float value) { n += std::memcmp(&here, &value, sizeof(value)) != 0 ? 1 : 0; });
    return n;
  }

 private:
  std::vector<float> memory_;
  std::vector<Item> items_;
};

// Every rank writes the items that `items_of` takes of it, then rank 0 commits step 1.
void Save(const std::string& directory, int world,
          const std::function<std::vector<Item>(int rank)>& items_of) {
  std::vector<ShardReport> reports;
  for (int rank = 0; rank < world; ++rank) {
    const std::vector<Item> items = items_of(rank);
    auto writer = Writer::Create(directory, rank, world, TotalBytes(items));
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)
                    ->Snapshot(HostStream(), 1, 1, items, [&](const ShardReport& r) { reports.push_back(r); })
                    .ok());
    (*writer)->Wait();
  }
  const absl::Status status = Commit(directory, InfoOf(1), reports);
  ASSERT_TRUE(status.ok()) << status;
}

// data x tensor ranks: those that hold the same share it out among themselves, tensor fastest.
void SaveByTensor(const std::string& directory, int data, int tensor) {
  std::vector<Rank> ranks;
  for (int t = 0; t < tensor; ++t) {
    ranks.emplace_back([&](const ParamSpec& param) { return plan::SavedSlices(param, t, tensor); });
    ranks.back().Fill();
  }
  Save(directory, data * tensor, [&](int rank) {
    return Share(ranks[static_cast<size_t>(rank % tensor)].items(), rank / tensor, data);
  });
}

void ExpectLoads(const std::string& directory, const Rank::SlicesOf& slices_of) {
  std::vector<std::string> all;  // a rank may have no slice of a small tensor
  for (const ParamSpec& param : Params()) all.push_back(param.name);
  Rank rank(slices_of);
  const absl::Status status = Load(HostStream(), StepPath(directory, 1), rank.items(), all);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(rank.Differences(), 0);
}

void ExpectLoadsByTensor(const std::string& directory, int tensor) {
  for (int t = 0; t < tensor; ++t) {
    ExpectLoads(directory, [&](const ParamSpec& param) { return plan::HeldSlices(param, t, tensor); });
  }
}

TEST(Reshard, TensorRanksOfAnyNumberLoadWhatAnyNumberSaved) {
  for (int saved : {1, 2, 3, 4}) {
    TempDir dir;
    SaveByTensor(dir.path(), 1, saved);
    for (int loaded : {1, 2, 3, 4, 8}) {
      SCOPED_TRACE(absl::StrCat(saved, " -> ", loaded));
      ExpectLoadsByTensor(dir.path(), loaded);
    }
  }
}

TEST(Reshard, DataRanksShareOutWhatATensorRankHolds) {
  TempDir dir;
  SaveByTensor(dir.path(), 3, 2);
  ExpectLoadsByTensor(dir.path(), 1);
  ExpectLoadsByTensor(dir.path(), 4);
}

// ZeRO and FSDP: a rank has a range of the elements of all parameters of its tensor rank.
Rank::SlicesOf Flat(int d, int data, int t, int tensor) {
  return [=](const ParamSpec& param) {
    const std::vector<Slice> held = plan::SavedSlices(param, t, tensor);
    int64_t n = 0;
    for (const Slice& slice : held) n += slice.elements();
    return plan::FlatRange(held, n * d / data, n * (d + 1) / data);
  };
}

TEST(Reshard, FlatRangesOfAnyMeshLoadIntoAnother) {
  TempDir dir;
  constexpr int kData = 3, kTensor = 2;
  std::vector<Rank> ranks;
  for (int rank = 0; rank < kData * kTensor; ++rank) {
    ranks.emplace_back(Flat(rank / kTensor, kData, rank % kTensor, kTensor));
    ranks.back().Fill();
  }
  Save(dir.path(), kData * kTensor, [&](int rank) { return ranks[static_cast<size_t>(rank)].items(); });
  ExpectLoadsByTensor(dir.path(), 1);
  ExpectLoadsByTensor(dir.path(), 4);
  for (int d = 0; d < 5; ++d) ExpectLoads(dir.path(), Flat(d, 5, 0, 1));
}

TEST(Reshard, TheManifestHasEachShardsSlices) {
  TempDir dir;
  SaveByTensor(dir.path(), 1, 2);
  auto manifest = Open(StepPath(dir.path(), 1), true);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const TensorEntry& qkv = manifest->tensors.at("qkv");
  EXPECT_EQ(qkv.shape, (std::vector<int64_t>{32, 6}));
  const std::vector<TensorPart> expected = {{0, {{0, 0}, {8, 6}}},  {1, {{8, 0}, {8, 6}}},
                                            {0, {{16, 0}, {4, 6}}}, {1, {{20, 0}, {4, 6}}},
                                            {0, {{24, 0}, {4, 6}}}, {1, {{28, 0}, {4, 6}}}};
  EXPECT_EQ(qkv.parts, expected);
  EXPECT_EQ(manifest->tensors.at("gain").parts, (std::vector<TensorPart>{{0, {{0}, {6}}}}));
  EXPECT_EQ(manifest->tensors.at("out").parts,
            (std::vector<TensorPart>{{0, {{0, 0}, {6, 8}}}, {1, {{0, 8}, {6, 8}}}}));
}

}  // namespace
}  // namespace galley::checkpoint
