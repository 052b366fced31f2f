// Every run that is killed ends by itself with the loss series and the shards of the undisturbed run, byte
// for byte: two ranks, bf16, active clipping, prefetch, a batch ramp, evaluations and saves in between.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/rng.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using nlohmann::json;
using testing::Bin;
using testing::Program;
using testing::RanksOf;

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

struct Series {
  std::map<int64_t, std::string> steps;  // step -> what its last attempt says of it, without times
  int64_t attempts = 1;
};

Series ReadMetrics(const std::string& run_dir) {
  Series series;
  std::ifstream in(JoinPath(run_dir, "metrics.jsonl"));
  for (std::string line; std::getline(in, line);) {
    json record = json::parse(line);
    series.attempts = std::max(series.attempts, record["attempt"].get<int64_t>());
    for (const char* key : {"attempt", "step_seconds", "data_seconds", "tokens_per_second", "mfu",
                            "checkpoint_stall_seconds"}) {
      record.erase(key);
    }
    series.steps[record["step"].get<int64_t>()] = record.dump();
  }
  return series;
}

// All shards of the checkpoint of `step`, name -> bytes.
std::map<std::string, std::string> Shards(const std::string& run_dir, int64_t step) {
  std::map<std::string, std::string> out;
  std::string dir = JoinPath(run_dir, "checkpoints/step-" + std::to_string(step));
  auto names = ListDir(dir);
  EXPECT_TRUE(names.ok()) << names.status();
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    if (name.find(".safetensors") != std::string::npos) out[name] = *ReadFile(JoinPath(dir, name));
  }
  return out;
}

// Waits for changes below a folder instead of sleeping; nullptr-safe when the folder does not exist yet.
class FolderWatch {
 public:
  explicit FolderWatch(const std::string& dir) : fd_(::inotify_init1(IN_CLOEXEC)) {
    ::inotify_add_watch(fd_, dir.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO);
  }
  ~FolderWatch() { ::close(fd_); }
  void Wait() {
    char buffer[4096];
    (void)!::read(fd_, buffer, sizeof(buffer));
  }

 private:
  int fd_;
};

int64_t LastStep(const std::string& run_dir) {
  Series series = ReadMetrics(run_dir);
  return series.steps.empty() ? 0 : series.steps.rbegin()->first;
}

bool SaveInProgress(const std::string& run_dir) {
  auto names = ListDir(JoinPath(run_dir, "checkpoints"));
  if (!names.ok()) return false;
  for (const std::string& name : *names) {
    if (name.rfind(".step-", 0) == 0) return true;
  }
  return false;
}

class KillTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempDir;
    const std::string& dir = home_->path();
    ASSERT_TRUE(AtomicWrite(JoinPath(dir, "text.txt"), Text()).ok());
    ASSERT_TRUE(AtomicWrite(JoinPath(dir, "recipe.yaml"), kRecipe).ok());
    auto tokenized = testing::Run({Bin("trainctl"), "data", "tokenize", "--input", "text.txt", "--tokenizer",
                                   "bytes", "--output-prefix", "text"},
                                  dir);
    ASSERT_EQ(tokenized.code, 0) << tokenized.err;
    reference_ = JoinPath(dir, "reference");
    auto run = testing::Run(Train(reference_), dir, 120, Env());
    ASSERT_EQ(run.code, 0) << run.err;
    ASSERT_EQ(ReadMetrics(reference_).steps.size(), 60u);
    ASSERT_EQ(Shards(reference_, 60).size(), 2u);
  }
  static void TearDownTestSuite() { delete home_; }

  static std::vector<std::string> Train(const std::string& run_dir) {
    return {Bin("trainctl"), "train", "recipe.yaml", "--run-dir", run_dir};
  }
  static std::vector<std::string> Env() { return {"XDG_STATE_HOME=" + home_->path() + "/state"}; }

  // Runs with one kill: `when` says that the moment has come, `all` kills every rank. Then everything must be
  // as if nothing had happened.
  template <class When>
  void KillOnceAndCompare(const std::string& name, bool all, uint32_t dice, When when) {
    std::string run_dir = JoinPath(home_->path(), name);
    ASSERT_TRUE(MakeDirs(JoinPath(run_dir, "checkpoints")).ok());
    Program program(Train(run_dir), home_->path(), Env());
    bool killed = false;
    {
      FolderWatch watch(when.folder(run_dir));
      while (!killed && LastStep(run_dir) < 58) {
        if (!when(run_dir)) {
          watch.Wait();
          continue;
        }
        // Somewhere within the step, not at its edge: the moment is the test's dice.
        std::this_thread::sleep_for(std::chrono::microseconds(dice % 20000));
        auto ranks = RanksOf(run_dir);
        ASSERT_EQ(ranks.size(), 2u);
        for (const auto& rank : ranks) {
          if (all || rank.rank == static_cast<int>(dice >> 16) % 2) ::kill(rank.pid, SIGKILL);
        }
        killed = true;
      }
    }
    auto outcome = program.Wait(120);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ASSERT_TRUE(killed) << "the moment to kill never came";
    Series expected = ReadMetrics(reference_), actual = ReadMetrics(run_dir);
    EXPECT_EQ(actual.attempts, 2);
    EXPECT_EQ(actual.steps, expected.steps);
    EXPECT_EQ(Shards(run_dir, 60), Shards(reference_, 60));
    EXPECT_TRUE(RanksOf(run_dir).empty());
    ASSERT_TRUE(RemoveTree(run_dir).ok());
  }

  static TempDir* home_;
  static std::string reference_;
};

TempDir* KillTest::home_ = nullptr;
std::string KillTest::reference_;

struct AfterStep {
  int64_t step;
  std::string folder(const std::string& run_dir) const { return run_dir; }
  bool operator()(const std::string& run_dir) const { return LastStep(run_dir) >= step; }
};
struct InSave {
  int64_t after;
  std::string folder(const std::string& run_dir) const { return JoinPath(run_dir, "checkpoints"); }
  bool operator()(const std::string& run_dir) const {
    return LastStep(run_dir) >= after && SaveInProgress(run_dir);
  }
};

TEST_F(KillTest, AtAnyMomentOneRankOrAll) {
  for (uint64_t seed = 1; seed <= 11; ++seed) {
    SCOPED_TRACE(seed);
    auto dice = Philox(2026, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("any" + std::to_string(seed), dice[0] % 2 == 0, dice[1],
                                               AfterStep{static_cast<int64_t>(6 + dice[2] % 50)}));
  }
}

TEST_F(KillTest, InASave) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto dice = Philox(2027, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("save" + std::to_string(seed), dice[0] % 2 == 0,
                                               dice[1] % 3000, InSave{static_cast<int64_t>(dice[2] % 40)}));
  }
}

TEST_F(KillTest, InAnEvaluation) {
  // The report of the step before an evaluation step is the last one before it.
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto dice = Philox(2028, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("evaluation" + std::to_string(seed), dice[0] % 2 == 0, dice[1],
                                               AfterStep{static_cast<int64_t>(12 * (1 + dice[2] % 4) - 1)}));
  }
}

TEST_F(KillTest, AtARampChange) {
  // The batch grows at step 16 (15 steps of 8 samples are 120 of the ramp's 240).
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    auto dice = Philox(2029, seed).At(0);
    ASSERT_NO_FATAL_FAILURE(KillOnceAndCompare("ramp" + std::to_string(seed), dice[0] % 2 == 0, dice[1],
                                               AfterStep{14 + dice[2] % 3}));
  }
}

}  // namespace
}  // namespace galley
