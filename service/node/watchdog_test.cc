#include "service/node/watchdog.h"

#include <gtest/gtest.h>

namespace galley::service {
namespace {

constexpr absl::Duration kFloor = absl::Seconds(10);

// Two ranks that beat every second and step every `step` seconds until told otherwise.
class WatchdogTest : public ::testing::Test {
 protected:
  WatchdogTest() : dog_(kFloor) {
    for (int rank : {0, 1}) dog_.Started(rank, now_);
  }
  // Lets `seconds` pass; a rank in `silent` sends nothing, one in `stuck` only beats.
  std::optional<Watchdog::Hang> Pass(int seconds, std::vector<int> silent, std::vector<int> stuck,
                                     v1::Phase::Value phase = v1::Phase::TRAIN) {
    for (int i = 0; i < seconds; ++i) {
      now_ += absl::Seconds(1);
      for (int rank : {0, 1}) {
        if (std::find(silent.begin(), silent.end(), rank) != silent.end()) continue;
        dog_.Heard(rank, now_);
        if (std::find(stuck.begin(), stuck.end(), rank) == stuck.end()) {
          dog_.Progress(rank, phase, ++steps_[rank], 0, now_);
        }
      }
      if (auto hang = dog_.Check(now_)) return hang;
    }
    return std::nullopt;
  }
  absl::Duration now_ = absl::Hours(1);
  Watchdog dog_;
  int64_t steps_[2] = {0, 0};
};

TEST_F(WatchdogTest, ARunThatStepsIsLeftAlone) {
  dog_.StepTook(absl::Seconds(1));
  EXPECT_FALSE(Pass(1000, {}, {}).has_value());
}

TEST_F(WatchdogTest, AStoppedRankIsFoundByItsSilenceAndIsTheSuspect) {
  ASSERT_FALSE(Pass(5, {}, {}).has_value());
  // The other rank waits for it in a collective, one step further.
  ++steps_[0];
  dog_.Progress(0, v1::Phase::TRAIN, steps_[0], 0, now_);
  auto hang = Pass(60, {1}, {0});
  ASSERT_TRUE(hang.has_value());
  EXPECT_EQ(hang->rank, 1);
  EXPECT_EQ(hang->step, 5);
  EXPECT_EQ(hang->phase, v1::Phase::TRAIN);
  EXPECT_GE(hang->still, kFloor);
  EXPECT_LE(hang->still, kFloor + absl::Seconds(2));
}

TEST_F(WatchdogTest, AStuckRankThatStillBeatsIsFound) {
  for (int i = 0; i < 5; ++i) dog_.StepTook(absl::Seconds(1));
  ASSERT_FALSE(Pass(5, {}, {}).has_value());
  auto hang = Pass(60, {}, {0, 1});
  ASSERT_TRUE(hang.has_value());
  EXPECT_LE(hang->still, kFloor + absl::Seconds(2));
}

TEST_F(WatchdogTest, TheLimitIsLearnedFromTheSteps) {
  EXPECT_EQ(dog_.limit(v1::Phase::TRAIN), 2 * kFloor);  // warming up
  for (int i = 0; i < 9; ++i) dog_.StepTook(absl::Milliseconds(20));
  EXPECT_EQ(dog_.limit(v1::Phase::TRAIN), kFloor);
  for (int i = 0; i < 64; ++i) dog_.StepTook(absl::Seconds(30));
  EXPECT_EQ(dog_.limit(v1::Phase::TRAIN), absl::Seconds(300));
  dog_.StepTook(absl::Hours(5));  // one slow step moves no median
  EXPECT_EQ(dog_.limit(v1::Phase::TRAIN), absl::Seconds(300));
}

TEST_F(WatchdogTest, OtherPhasesHaveTheirOwnLimits) {
  EXPECT_EQ(dog_.limit(v1::Phase::EVALUATE), 4 * kFloor);
  dog_.Progress(0, v1::Phase::EVALUATE, 1, 0, now_);
  now_ += absl::Seconds(30);
  dog_.Progress(0, v1::Phase::TRAIN, 1, 0, now_);
  EXPECT_EQ(dog_.limit(v1::Phase::EVALUATE), absl::Seconds(300));
  EXPECT_EQ(dog_.limit(v1::Phase::SAVE), 4 * kFloor);
}

TEST_F(WatchdogTest, AnEvaluationThatCountsItsBatchesMayTakeAnyTime) {
  for (int i = 0; i < 500; ++i) {
    now_ += absl::Seconds(1);
    for (int rank : {0, 1}) {
      dog_.Heard(rank, now_);
      dog_.Progress(rank, v1::Phase::EVALUATE, 7, i, now_);
    }
    ASSERT_FALSE(dog_.Check(now_).has_value()) << i;
  }
}

TEST_F(WatchdogTest, OurOwnPauseIsNotTheirs) {
  ASSERT_FALSE(Pass(5, {}, {}).has_value());
  now_ += absl::Minutes(20);  // we were stopped; the frames that came meanwhile are not read yet
  EXPECT_FALSE(dog_.Check(now_).has_value());
  EXPECT_FALSE(Pass(5, {}, {}).has_value());
  EXPECT_TRUE(Pass(60, {0, 1}, {}).has_value());
}

TEST_F(WatchdogTest, APauseRightAfterTheStartIsNotTheirsEither) {
  now_ += absl::Minutes(20);
  EXPECT_FALSE(dog_.Check(now_).has_value());
}

TEST_F(WatchdogTest, ARankThatNeverConnectsIsFoundLater) {
  EXPECT_FALSE(Pass(35, {0, 1}, {}).has_value());
  EXPECT_TRUE(Pass(10, {0, 1}, {}).has_value());
}

TEST_F(WatchdogTest, AnEndedRankIsForgotten) {
  dog_.Ended(0);
  dog_.Ended(1);
  EXPECT_FALSE(Pass(1000, {0, 1}, {}).has_value());
}

}  // namespace
}  // namespace galley::service
