// A small training state for this module's tests: tensors of every kind that a checkpoint holds.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"
#include "runtime/tensor/arena.h"

namespace galley::checkpoint {

inline Stream& HostStream() {
  static Stream stream = MakeStream(Device(), 1);
  return stream;
}

// Whole tensors with bytes drawn from `seed`.
class TestState {
 public:
  explicit TestState(uint64_t seed) : buffer_(Device(), kBytes) {
    AddTensors();
    CHECK_LE(at_ - buffer_.data(), kBytes);
    Fill(seed);
  }
  const std::vector<Item>& items() const { return items_; }
  void Fill(uint64_t seed) {
    // A Weyl sequence through one multiplication (as in SplitMix64): cheap under the sanitizers.
    auto* words = reinterpret_cast<uint64_t*>(buffer_.data());
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15;
    for (int64_t i = 0; i < kBytes / 8; ++i) {
      state += 0x9e3779b97f4a7c15;
      words[i] = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    }
  }
  // Every item's bytes, one after the other.
  std::string Bytes() const {
    std::string out;
    for (const Item& item : items_) {
      out.append(static_cast<const char*>(item.view.data), static_cast<size_t>(item.view.bytes()));
    }
    return out;
  }

 private:
  static constexpr int64_t kBytes = int64_t{6} << 20;
  void AddTensors() {
    at_ = buffer_.data();
    Add("model.embed", DType::kF32, {1000, 400});  // over 1 MiB: may be cut
    Add("model.bias", DType::kF32, {37});
    Add("model.half", DType::kBF16, {33, 5});
    Add("model.wide", DType::kF32, {700, 401});
    Add("optim.count", DType::kI64, {});
    Add("optim.empty", DType::kF32, {0, 3});
    Add("optim.bytes", DType::kU8, {7});
    Add("optim.m.embed", DType::kF32, {1000, 400});
    Add("optim.scale", DType::kF64, {2, 1, 3});
  }
  void Add(std::string name, DType dtype, const std::vector<int64_t>& shape) {
    const View view(at_, dtype, Shape(std::span<const int64_t>(shape)));
    at_ += (view.bytes() + 63) / 64 * 64;
    items_.push_back(Item::Whole(std::move(name), view));
  }

  Buffer buffer_;
  std::byte* at_ = nullptr;
  std::vector<Item> items_;
};

inline ManifestInfo InfoOf(int64_t step, int64_t attempt = 1) {
  return {.step = step,
          .attempt = attempt,
          .state = {{"step", Fact(step)}, {"samples", Fact(step * 16)}},
          .origin = {{"host", Fact("here")}}};
}

// All ranks' shards, written one rank after the other.
inline std::vector<ShardReport> WriteShards(const std::string& directory, const TestState& state, int world,
                                            int64_t step, int64_t attempt = 1) {
  std::vector<ShardReport> reports;
  for (int rank = 0; rank < world; ++rank) {
    const std::vector<Item> mine = Share(state.items(), rank, world);
    auto writer = Writer::Create(directory, rank, world, TotalBytes(mine));
    CHECK(writer.ok()) << writer.status().message();
    CHECK(
        (*writer)
            ->Snapshot(HostStream(), step, attempt, mine, [&](const ShardReport& r) { reports.push_back(r); })
            .ok());
    (*writer)->Wait();
  }
  return reports;
}

inline absl::Status SaveAll(const std::string& directory, const TestState& state, int world, int64_t step,
                            int64_t attempt = 1) {
  return Commit(directory, InfoOf(step, attempt), WriteShards(directory, state, world, step, attempt));
}

inline std::string StepPath(const std::string& directory, int64_t step) {
  return JoinPath(directory, StepFolder(step));
}

inline std::string Slurp(const std::string& path) {
  auto text = ReadFile(path);
  CHECK(text.ok()) << text.status().message();
  return *text;
}

inline std::vector<std::string> Names(const std::string& directory) {
  auto names = ListDir(directory);
  CHECK(names.ok()) << names.status().message();
  return *std::move(names);
}

// Not by rename: the file itself changes, as a disk would change it.
inline void Spill(const std::string& path, const std::string& text) {
  auto writer = FileWriter::Open(path, FileWriter::Mode::kTruncate);
  CHECK(writer.ok() && writer->Write(text).ok() && writer->Close().ok()) << path;
}

}  // namespace galley::checkpoint
