#include "tests/runs/small_run.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "tests/support/program.h"

namespace galley::testing {
namespace {

constexpr char kRecipe[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: kill}
model: {family: llama, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 176, context: 64, vocab: 256}
precision: {compute: bf16}
data:
  tokenizer: {kind: bytes}
  train: [{path: text_text_document}]
  split: [90, 10, 0]
batch: {micro: 4, global: 16, rampup: {start: 8, increment: 8, over: 240 samples}}
train: {until: 60 steps, seed: 3}
optimizer: {kind: adamw, clip_norm: 0.5}
schedule:
  lr: {peak: 3e-3, min: 3e-4, warmup: 5 steps, decay: cosine}
parallelism: {data: 2}
checkpoint: {every: [{until: 20 steps, interval: 5 steps}, {interval: 10 steps}], keep: {last: 3}}
evaluation: {every: 12 steps, samples: 32}
launcher: {kind: local, threads_per_rank: 1}
exporters: [{kind: jsonl}]
)";

// Something to learn: words from a small set, in an order that depends on the last one.
std::string Text() {
  const char* words[] = {"and",    "the", "LORD", "said", "unto", "Moses",
                         "saying", "in",  "day",  "of",   "all",  "earth"};
  Philox rng(11, 0);
  std::string out;
  uint32_t last = 0;
  for (uint64_t i = 0; i < 30000; ++i) {
    last = (last * 5 + rng.At(i)[0] % 4) % 12;
    out += words[last];
    out += i % 17 == 16 ? "\n\n" : " ";
  }
  return out;
}

}  // namespace

void PrepareSmallRun(const std::string& dir) {
  CHECK(AtomicWrite(JoinPath(dir, "text.txt"), Text()).ok());
  CHECK(AtomicWrite(JoinPath(dir, "recipe.yaml"), kRecipe).ok());
  const Outcome tokenized = Run({Bin("trainctl"), "data", "tokenize", "--input", "text.txt", "--tokenizer",
                                 "bytes", "--output-prefix", "text"},
                                dir);
  CHECK_EQ(tokenized.code, 0) << tokenized.err;
}

std::vector<std::string> TrainArgs(const std::string& run_dir, const std::vector<std::string>& sets) {
  std::vector<std::string> args = {Bin("trainctl"), "train", "recipe.yaml", "--run-dir", run_dir};
  for (const std::string& set : sets) {
    args.push_back("--set");
    args.push_back(set);
  }
  return args;
}

std::vector<std::string> TrainEnv(const std::string& dir) { return {"XDG_STATE_HOME=" + dir + "/state"}; }

Series ReadMetrics(const std::string& run_dir) {
  Series series;
  std::ifstream in(JoinPath(run_dir, "metrics.jsonl"));
  // A run that goes on may be in the midst of its last line: that one has no end yet.
  for (std::string line; std::getline(in, line) && !in.eof();) {
    nlohmann::json record = nlohmann::json::parse(line);
    series.attempts = std::max(series.attempts, record["attempt"].get<int64_t>());
    for (const char* key : {"attempt", "step_seconds", "data_seconds", "tokens_per_second", "mfu",
                            "checkpoint_stall_seconds"}) {
      record.erase(key);
    }
    series.steps[record["step"].get<int64_t>()] = {record.dump(), record["loss"].get<double>(),
                                                   record["samples_hash"].get<std::string>()};
  }
  return series;
}

std::map<std::string, std::string> Shards(const std::string& run_dir, int64_t step) {
  std::map<std::string, std::string> out;
  const std::string dir = JoinPath(run_dir, "checkpoints/step-" + std::to_string(step));
  const auto names = ListDir(dir);
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    if (name.find(".safetensors") != std::string::npos) out[name] = *ReadFile(JoinPath(dir, name));
  }
  return out;
}

}  // namespace galley::testing
