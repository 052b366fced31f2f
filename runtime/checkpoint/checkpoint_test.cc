#include "runtime/checkpoint/checkpoint.h"

#include <condition_variable>
#include <mutex>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/checkpoint/test_state.h"
#include "runtime/tensor/guarded_memory_for_test.h"

namespace galley::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Checkpoint, LoadsByAnyNumberOfRanks) {
  TempDir one, three;
  TestState state(7);
  ASSERT_TRUE(SaveAll(one.path(), state, 1, 100).ok());

  // 1 -> 3: three ranks load everything, and write what they hold.
  TestState second(8);
  ASSERT_TRUE(Load(HostStream(), StepPath(one.path(), 100), second.items()).ok());
  EXPECT_TRUE(second.Bytes() == state.Bytes());
  ASSERT_TRUE(SaveAll(three.path(), second, 3, 100).ok());

  // 3 -> 2: two ranks that load only their own slices.
  TestState third(9);
  for (int rank = 0; rank < 2; ++rank) {
    std::vector<Item> mine = Share(third.items(), rank, 2);
    std::vector<std::string> others;
    for (const Item& item : third.items()) others.push_back(item.name);
    ASSERT_TRUE(Load(HostStream(), StepPath(three.path(), 100), mine, others).ok());
  }
  EXPECT_TRUE(third.Bytes() == state.Bytes());
}

TEST(Checkpoint, EqualStatesAreEqualBytes) {
  TempDir a, b;
  TestState state(7), same(7);
  ASSERT_TRUE(SaveAll(a.path(), state, 2, 100, /*attempt=*/1).ok());
  ASSERT_TRUE(SaveAll(b.path(), same, 2, 100, /*attempt=*/4).ok());
  for (const char* shard : {"shard-00000-of-00002.safetensors", "shard-00001-of-00002.safetensors"}) {
    EXPECT_EQ(Slurp(JoinPath(StepPath(a.path(), 100), shard)),
              Slurp(JoinPath(StepPath(b.path(), 100), shard)));
  }
  // And the manifests differ in the attempt alone.
  auto first = Open(StepPath(a.path(), 100), true);
  auto second = Open(StepPath(b.path(), 100), true);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->info.state, second->info.state);
  EXPECT_EQ(first->info.attempt, 1);
  EXPECT_EQ(second->info.attempt, 4);
}

TEST(Checkpoint, TheManifestTellsWhatItHolds) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100).ok());
  auto manifest = Open(StepPath(dir.path(), 100), true);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->info.step, 100);
  EXPECT_EQ(IntFact(manifest->info.state, "samples").value(), 1600);
  EXPECT_EQ(TextFact(manifest->info.origin, "host").value(), "here");
  EXPECT_EQ(manifest->shards.size(), 2u);
  EXPECT_EQ(manifest->tensors.at("model.half").dtype, DType::kBF16);
  EXPECT_THAT(manifest->tensors.at("model.half").shape, ElementsAre(33, 5));
  EXPECT_EQ(manifest->tensors.size(), state.items().size());
  EXPECT_EQ(Slurp(JoinPath(dir.path(), "latest")), "step-100\n");
}

TEST(Checkpoint, FactsKeepEveryBit) {
  const Facts facts = {{"i", Fact(int64_t{-9007199254740993})}, {"d", Fact(0.1)}, {"t", Fact("a \"b\"\n")}};
  EXPECT_EQ(IntFact(facts, "i").value(), -9007199254740993);
  EXPECT_EQ(DoubleFact(facts, "d").value(), 0.1);
  EXPECT_EQ(TextFact(facts, "t").value(), "a \"b\"\n");
  EXPECT_THAT(IntFact(facts, "none").status().message(), HasSubstr("no \"none\""));
  EXPECT_THAT(IntFact(facts, "t").status().message(), HasSubstr("not a whole number"));
}

TEST(Checkpoint, TheFileHoldsTheSnapshotNotWhatCameAfter) {
  TempDir dir;
  TestState state(7);
  const std::string before = state.Bytes();
  auto writer = Writer::Create(dir.path(), 0, 1, TotalBytes(state.items()));
  ASSERT_TRUE(writer.ok());
  std::vector<ShardReport> reports;
  ASSERT_TRUE(
      (*writer)
          ->Snapshot(HostStream(), 1, 1, state.items(), [&](const ShardReport& r) { reports.push_back(r); })
          .ok());
  state.Fill(99);  // the next step, while the background thread writes
  (*writer)->Wait();
  ASSERT_TRUE(Commit(dir.path(), InfoOf(1), reports).ok());
  ASSERT_TRUE(Load(HostStream(), StepPath(dir.path(), 1), state.items()).ok());
  EXPECT_TRUE(state.Bytes() == before);
}

// Loaded onto a device whose memory the host cannot touch, and saved from there: the same file.
TEST(Checkpoint, GoesOntoADeviceAndComesBack) {
  TempDir host, device_dir;
  TestState state(7);
  const std::vector<ShardReport> want = WriteShards(host.path(), state, 1, 100);
  ASSERT_TRUE(Commit(host.path(), InfoOf(100), want).ok());

  GuardedMemory memory;
  const Device device{.memory = &memory};
  Stream stream = MakeStream(device, 1);
  std::vector<Item> items = state.items();
  std::vector<Buffer> buffers;
  for (Item& item : items) {
    item.view.data = buffers.emplace_back(device, item.view.bytes()).data();
  }
  ASSERT_TRUE(Load(stream, StepPath(host.path(), 100), items).ok());
  auto writer = Writer::Create(device_dir.path(), 0, 1, TotalBytes(items));
  ASSERT_TRUE(writer.ok());
  ShardReport got;
  ASSERT_TRUE((*writer)->Snapshot(stream, 100, 1, items, [&](const ShardReport& r) { got = r; }).ok());
  (*writer)->Wait();
  EXPECT_TRUE(got.status.ok());
  EXPECT_EQ(got.xxh3, want[0].xxh3);
}

TEST(Checkpoint, ASecondSaveWhileOneRunsIsRefused) {
  TempDir dir;
  TestState state(7);
  auto writer = Writer::Create(dir.path(), 0, 1, TotalBytes(state.items()));
  ASSERT_TRUE(writer.ok());
  std::mutex mutex;
  std::unique_lock hold(mutex);  // keeps the first save from ending
  ASSERT_TRUE((*writer)
                  ->Snapshot(HostStream(), 1, 1, state.items(),
                             [&](const ShardReport&) { std::lock_guard wait(mutex); })
                  .ok());
  EXPECT_TRUE((*writer)->busy());
  const absl::Status second =
      (*writer)->Snapshot(HostStream(), 2, 1, state.items(), [](const ShardReport&) { FAIL(); });
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.message(), HasSubstr("the save of step 1 is still being written"));
  hold.unlock();
  (*writer)->Wait();
  EXPECT_FALSE((*writer)->busy());
  EXPECT_TRUE((*writer)
                  ->Snapshot(HostStream(), 2, 1, state.items(),
                             [](const ShardReport& r) { EXPECT_TRUE(r.status.ok()); })
                  .ok());
}

TEST(Checkpoint, WhatDoesNotFitIsListedWhole) {
  TempDir dir;
  TestState state(7);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100).ok());
  std::vector<Item> items = state.items();
  items.erase(items.begin());  // model.embed: unexpected
  items[0] = Item::Whole("model.bias", View(items[0].view.data, DType::kF32, {38}));
  items[1].view.dtype = DType::kU16;  // model.half
  items.push_back(Item::Whole("model.new", items[0].view.Rows(0, 1)));
  const std::string before = state.Bytes();
  const absl::Status status = Load(HostStream(), StepPath(dir.path(), 100), items);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(state.Bytes() == before);
  for (const char* line :
       {"1 tensors missing, 2 of another shape or type, 1 unexpected; use the recipe that wrote it",
        "missing: model.new F32 [1]", "differs: model.bias is F32 [37] there, F32 [38] here",
        "differs: model.half is BF16 [33, 5] there, U16 [33, 5] here",
        "unexpected: model.embed F32 [1000, 400]"}) {
    EXPECT_THAT(status.message(), HasSubstr(line));
  }
}

TEST(Checkpoint, WeightsLoadWithoutTheOptimizer) {
  TempDir dir;
  TestState state(7), other(8);
  ASSERT_TRUE(SaveAll(dir.path(), state, 2, 100).ok());
  std::vector<Item> weights;
  for (const Item& item : other.items()) {
    if (item.name.substr(0, 6) == "model.") weights.push_back(item);
  }
  EXPECT_FALSE(Load(HostStream(), StepPath(dir.path(), 100), weights).ok());
  ASSERT_TRUE(Load(HostStream(), StepPath(dir.path(), 100), weights, {"optim."}).ok());
  EXPECT_EQ(std::memcmp(weights[0].view.data, state.items()[0].view.data,
                        static_cast<size_t>(weights[0].view.bytes())),
            0);
}

}  // namespace
}  // namespace galley::checkpoint
