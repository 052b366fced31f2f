// The samples of a step do not depend on how many ranks share it, nor on the micro-batch; losses agree to
// rounding.
#include <gtest/gtest.h>

#include <cmath>
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
