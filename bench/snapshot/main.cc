// bench-snapshot [ROUNDS [FOLDER]]: how long a step waits for a checkpoint, against one memcpy of
// the same bytes, in turns. Also the background write and a verified load, for the record.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/tensor/arena.h"

namespace galley {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Three layers of GPT-2 124M: f32 weights and both moments, in flat buffers as training keeps them.
std::vector<checkpoint::Item> Allocate(Arena& arena) {
  std::vector<checkpoint::Item> items;
  for (const char* kind : {"model.", "optim.m.", "optim.v."}) {
    for (int layer = 0; layer < 3; ++layer) {
      const auto add = [&](const char* name, std::initializer_list<int64_t> shape) {
        items.push_back(checkpoint::Item::Whole(absl::StrCat(kind, "layers.", layer, ".", name),
                                                arena.Take(DType::kF32, Shape(shape))));
      };
      for (const char* norm : {"norm1.gain", "norm1.bias", "norm2.gain", "norm2.bias"}) add(norm, {768});
      add("attn.qkv.weight", {2304, 768});
      add("attn.qkv.bias", {2304});
      add("attn.out.weight", {768, 768});
      add("attn.out.bias", {768});
      add("mlp.fc.weight", {3072, 768});
      add("mlp.fc.bias", {3072});
      add("mlp.proj.weight", {768, 3072});
      add("mlp.proj.bias", {768});
    }
  }
  return items;
}

struct Series {
  std::vector<double> seconds;
  double median() {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
};

absl::Status Run(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 11;
  TempDir temporary;
  const std::string folder = argc > 2 ? JoinPath(argv[2], "bench-snapshot") : temporary.path();

  Arena measure;
  (void)Allocate(measure);
  const int64_t flat_bytes = measure.used();
  Buffer storage(Device(), flat_bytes);
  std::byte* flat = storage.data();
  std::memset(flat, 3, static_cast<size_t>(flat_bytes));
  Arena arena(std::move(storage));
  const std::vector<checkpoint::Item> items = Allocate(arena);
  const int64_t bytes = checkpoint::TotalBytes(items);
  Buffer target(Device(), bytes);
  ASSIGN_OR_RETURN(auto writer, checkpoint::Writer::Create(folder, 0, 1, bytes));
  Stream stream = MakeStream(Device(), 1);

  Series copy, stall, write, load;
  for (int round = 0; round < rounds; ++round) {
    double start = Now();
    std::memcpy(target.data(), flat, static_cast<size_t>(bytes));
    copy.seconds.push_back(Now() - start);

    checkpoint::ShardReport report;
    start = Now();
    RETURN_IF_ERROR(
        writer->Snapshot(stream, round + 1, 1, items, [&](checkpoint::ShardReport r) { report = r; }));
    stall.seconds.push_back(Now() - start);
    start = Now();
    writer->Wait();
    RETURN_IF_ERROR(checkpoint::Commit(folder, {.step = round + 1, .state = {}, .origin = {}}, {report}));
    write.seconds.push_back(Now() - start);
    ASSIGN_OR_RETURN(const auto removed, checkpoint::ApplyRetention(folder, 1, 0, 1));
    start = Now();
    RETURN_IF_ERROR(checkpoint::Load(stream, JoinPath(folder, absl::StrCat("step-", round + 1)), items));
    load.seconds.push_back(Now() - start);
  }
  const double megabytes = static_cast<double>(bytes) / 1e6;
  printf("snapshot of %.0f MB in %zu tensors, %d rounds in turns\n", megabytes, items.size(), rounds);
  const auto row = [&](const char* name, Series& series) {
    const double median = series.median();
    printf("  %-28s median %8.1f ms (%6.2f GB/s)  best %8.1f ms\n", name, median * 1e3,
           megabytes / median / 1e3, series.best() * 1e3);
  };
  row("memcpy, one thread", copy);
  row("stall of a step", stall);
  row("background write and commit", write);
  row("load with checksums", load);
  printf("  stall / memcpy: %.2f by medians, %.2f by bests (target: at most 2)\n",
         stall.median() / copy.median(), stall.best() / copy.best());
  if (argc > 2) return RemoveTree(folder);
  return absl::OkStatus();
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  const absl::Status status = galley::Run(argc, argv);
  if (status.ok()) return 0;
  fprintf(stderr, "bench-snapshot: %s\n", std::string(status.message()).c_str());
  return 1;
}
