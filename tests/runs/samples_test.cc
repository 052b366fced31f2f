// The samples of a step do not depend on how many ranks share it, nor on the
// micro-batch; losses agree to rounding.
#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using testing::ReadMetrics;
using testing::Series;

struct Way {
  const char* name;
  std::vector<std::string> sets;
};

class Samples : public ::testing::TestWithParam<Way> {
 protected:
  std::vector<std::string> Args(const std::string& run_dir, std::vector<std::string> sets = {}) const {
    sets.insert(sets.end(), GetParam().sets.begin(), GetParam().sets.end());
    return testing::TrainArgs(run_dir, sets);
  }
};
INSTANTIATE_TEST_SUITE_P(
    Ways, Samples,
    ::testing::Values(Way{"galley", {"data.order=galley"}}, Way{"megatron", {"data.order=megatron"}},
                      Way{"packed",
                          {"data.packing=best_fit", "data.pad=1", "data.skip=[{from: 3 steps, to: 5 steps}]",
                           "data.mask={attention: document, positions: document, eod_loss: false}",
                           "data.valid=[{name: again, path: text_text_document}]"}},
                      Way{"dummy", {"data={tokenizer: {kind: bytes}, kind: dummy}"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(Samples, OneTwoAndFourRanksWithMicroBatchesTwoAndFourSeeTheSame) {
  TempDir home;
  const std::string& dir = home.path();
  testing::PrepareSmallRun(dir);
  Series first;
  for (const char* ranks : {"1", "2", "4"}) {
    for (const char* micro : {"2", "4"}) {
      SCOPED_TRACE(std::string(ranks) + " ranks, micro-batch " + micro);
      const std::string run_dir = JoinPath(dir, std::string("r") + ranks + "m" + micro);
      // f32, so that rounding is all that may differ; 20 steps cross the ramp.
      const auto outcome = testing::Run(
          Args(run_dir, {std::string("parallelism.data=") + ranks, std::string("batch.micro=") + micro,
                         "precision.compute=f32", "train.until=20 steps", "batch.global=32",
                         "batch.rampup={start: 16, increment: 16, over: 160 samples}"}),
          dir, 120, testing::TrainEnv(dir));
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const Series series = ReadMetrics(run_dir);
      ASSERT_EQ(series.steps.size(), 20u);
      if (first.steps.empty()) first = series;
      for (const auto& [step, expected] : first.steps) {
        ASSERT_EQ(series.steps.count(step), 1u) << step;
        EXPECT_EQ(series.steps.at(step).samples_hash, expected.samples_hash) << "step " << step;
        EXPECT_NEAR(series.steps.at(step).loss, expected.loss, 2e-4 * expected.loss) << "step " << step;
      }
    }
  }
}

// A run that ends anywhere, as by a kill after any checkpoint, and goes on in another
// shape, and again in another one.
TEST_P(Samples, GoneOnWithAnywhereInAnotherShapeTheStepsSeeTheSame) {
  TempDir home;
  const std::string& dir = home.path();
  testing::PrepareSmallRun(dir);
  const std::vector<std::string> common = {
      "train.until=24 steps", "checkpoint={every: [{interval: 1 steps}]}", "evaluation.every=12 steps"};
  std::mt19937 random(41);
  struct Shape {
    int ranks, micro;
  };
  constexpr Shape kShapes[] = {{1, 2}, {1, 8}, {2, 2}, {2, 4}, {4, 1}, {4, 2}};
  std::string last_dir;
  int64_t from = 0;
  Series first;
  for (int round = 0; round < 4; ++round) {
    const Shape shape = kShapes[random() % std::size(kShapes)];
    const std::string run_dir = JoinPath(dir, "r" + std::to_string(round));
    std::vector<std::string> sets = common;
    sets.push_back("parallelism.data=" + std::to_string(shape.ranks));
    sets.push_back("batch.micro=" + std::to_string(shape.micro));
    std::vector<std::string> args = Args(run_dir, sets);
    if (round > 0) {
      args.push_back("--from-checkpoint");
      args.push_back(JoinPath(last_dir, "checkpoints/step-" + std::to_string(from)));
    }
    SCOPED_TRACE("from step " + std::to_string(from) + " with " + std::to_string(shape.ranks) +
                 " ranks, micro-batch " + std::to_string(shape.micro));
    const auto outcome = testing::Run(args, dir, 120, testing::TrainEnv(dir));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Series series = ReadMetrics(run_dir);
    ASSERT_EQ(static_cast<int64_t>(series.steps.size()), 24 - from);
    if (round == 0) first = series;
    for (const auto& [step, seen] : series.steps) {
      EXPECT_EQ(seen.samples_hash, first.steps.at(step).samples_hash) << "step " << step;
    }
    last_dir = run_dir;
    from += 1 + static_cast<int64_t>(random() % 7);
  }
}

// An interrupted run that goes on ends as the one that was left alone.
TEST_P(Samples, PausedAndResumedEndsAsTheUndisturbedRun) {
  TempDir home;
  const std::string& dir = home.path();
  testing::PrepareSmallRun(dir);
  const std::string whole = JoinPath(dir, "whole"), parts = JoinPath(dir, "parts");
  ASSERT_EQ(testing::Run(Args(whole), dir, 120, testing::TrainEnv(dir)).code, 0);
  {
    ASSERT_TRUE(MakeDirs(parts).ok());
    testing::FolderWatch watch(parts);
    testing::Program program(Args(parts), dir, testing::TrainEnv(dir));
    while (ReadMetrics(parts).steps.size() < 9 && !FileExists(JoinPath(parts, "result.json"))) watch.Wait();
    program.Signal(SIGINT);
    const auto outcome = program.Wait(60);
    EXPECT_EQ(outcome.code, 130) << outcome.err;
    EXPECT_NE(outcome.err.find("trainctl resume"), std::string::npos) << outcome.err;
  }
  const int64_t paused_at = static_cast<int64_t>(ReadMetrics(parts).steps.size());
  EXPECT_LT(paused_at, testing::kSmallSteps);
  const auto resumed =
      testing::Run({testing::Bin("trainctl"), "resume", parts}, dir, 120, testing::TrainEnv(dir));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(ReadMetrics(parts).steps, ReadMetrics(whole).steps);
  EXPECT_EQ(testing::Shards(parts, testing::kSmallSteps), testing::Shards(whole, testing::kSmallSteps));
}

}  // namespace
}  // namespace galley
