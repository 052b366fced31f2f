#include "runtime/plan/checkpoint_schedule.h"

#include <gtest/gtest.h>

namespace galley::plan {
namespace {

using recipe::Amount;
using recipe::Unit;

Amount Steps(int64_t n) { return {n, Unit::kSteps}; }
BatchRamp Flat(int64_t global = 4) { return BatchRamp({.micro = 1, .global = global}, 16); }

std::vector<int64_t> Walk(const CheckpointSchedule& schedule, int64_t total) {
  std::vector<int64_t> steps;
  for (int64_t s = 0; s <= total + 10; ++s) {
    if (schedule.IsSaveStep(s)) steps.push_back(s);
  }
  return steps;
}

// 10 checkpoints to step 100, 51 to step 1000, then every 1500 (BigScience tr1-13B).
TEST(CheckpointSchedule, PhasesOfTr1) {
  const recipe::Checkpoint spec{
      .every = {{Steps(100), Steps(10)}, {Steps(1000), Steps(18)}, {{}, Steps(1500)}},
      .keep = {.last = 20, .every = Steps(15000)}};
  const CheckpointSchedule schedule(spec, Flat(), 311541);
  const std::vector<int64_t> steps = schedule.SaveSteps();
  EXPECT_EQ(steps, Walk(schedule, 311541));
  EXPECT_EQ(steps.size(), 10u + 51u + 207u + 1u);
  EXPECT_TRUE(schedule.IsSaveStep(108));
  EXPECT_TRUE(schedule.IsSaveStep(1000));
  EXPECT_FALSE(schedule.IsSaveStep(0));
  EXPECT_TRUE(schedule.IsSaveStep(311541));
  EXPECT_TRUE(schedule.IsKeptForGood(30000));
  EXPECT_FALSE(schedule.IsKeptForGood(31500));
  EXPECT_EQ(schedule.MostOnDisk(), 21 + 18);
}

TEST(CheckpointSchedule, IntervalsInSamplesSaveWhenAMultipleIsReached) {
  const recipe::Checkpoint spec{.every = {{{}, {10, Unit::kSamples}}}};
  const CheckpointSchedule schedule(spec, Flat(), 12);
  EXPECT_EQ(Walk(schedule, 12), (std::vector<int64_t>{3, 5, 8, 10, 12}));
  EXPECT_EQ(schedule.SaveSteps(), Walk(schedule, 12));
  const CheckpointSchedule dense({.every = {{{}, {1, Unit::kTokens}}}}, Flat(), 5);
  EXPECT_EQ(dense.SaveSteps(), (std::vector<int64_t>{1, 2, 3, 4, 5}));
}

TEST(CheckpointSchedule, WithoutPhasesTheLastStepIsSaved) {
  const CheckpointSchedule schedule({}, Flat(), 7);
  EXPECT_EQ(schedule.SaveSteps(), (std::vector<int64_t>{7}));
  EXPECT_EQ(schedule.MostOnDisk(), 1);
}

TEST(CheckpointSchedule, AfterTheLastPhaseOnlyTheLastStepIsSaved) {
  const CheckpointSchedule schedule({.every = {{Steps(6), Steps(4)}}}, Flat(), 20);
  EXPECT_EQ(Walk(schedule, 20), (std::vector<int64_t>{4, 6, 20}));
  EXPECT_EQ(schedule.SaveSteps(), Walk(schedule, 20));
}

TEST(EvaluationSchedule, MultiplesAndTheLastStep) {
  const EvaluationSchedule schedule({.every = Steps(200), .samples = 64}, Flat(), 600);
  EXPECT_EQ(schedule.Count(), 3);
  EXPECT_FALSE(schedule.IsEvaluationStep(0));
  EXPECT_TRUE(schedule.IsEvaluationStep(200));
  EXPECT_FALSE(schedule.IsEvaluationStep(201));
  EXPECT_TRUE(schedule.IsEvaluationStep(600));
  EXPECT_EQ(EvaluationSchedule({.every = Steps(200), .samples = 64}, Flat(), 601).Count(), 4);
  EXPECT_EQ(EvaluationSchedule({}, Flat(), 600).Count(), 0);
}

}  // namespace
}  // namespace galley::plan
