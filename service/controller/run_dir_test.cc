#include "service/controller/run_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"

namespace galley::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NewRunDirTest : public testing::Test {
 protected:
  NewRunDirTest() {
    run_.run_dir = JoinPath(dir_.path(), "runs/one");
    run_.recipe = "kind: Recipe\n";
    run_.root = "/recipes";
    run_.plan.checkpoint_dir = JoinPath(run_.run_dir, "checkpoints");
  }
  std::vector<std::string> Listed(const std::string& path) {
    return ListDir(path).value_or(std::vector<std::string>());
  }

  const TempDir dir_;
  service::Run run_;
};

TEST_F(NewRunDirTest, HoldsWhatTheRunIsMadeFromAndGoesWhole) {
  absl::StatusOr<NewRunDir> made = NewRunDir::Make(run_, "{}");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(Listed(run_.run_dir), ElementsAre("checkpoints", "logs", "plan.json", "recipe.yaml"));
  EXPECT_EQ(ReadFile(JoinPath(run_.run_dir, "recipe.yaml")).value(),
            "# Paths are relative to /recipes\nkind: Recipe\n");
  made->Remove();
  EXPECT_FALSE(FileExists(run_.run_dir));
}

TEST_F(NewRunDirTest, ASecondOneIsRefusedAndTakesNothingAway) {
  ASSERT_TRUE(NewRunDir::Make(run_, "{}").ok());
  const absl::Status second = NewRunDir::Make(run_, "{}").status();
  EXPECT_TRUE(absl::IsAlreadyExists(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("another run lives here"));
  EXPECT_THAT(Listed(run_.run_dir), ElementsAre("checkpoints", "logs", "plan.json", "recipe.yaml"));
}

TEST_F(NewRunDirTest, WhatWasThereBeforeOrCameSinceStays) {
  ASSERT_TRUE(MakeDirs(JoinPath(run_.run_dir, "logs")).ok());
  absl::StatusOr<NewRunDir> made = NewRunDir::Make(run_, "{}");
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(AtomicWrite(JoinPath(run_.plan.checkpoint_dir, "kept"), "").ok());
  made->Remove();
  EXPECT_THAT(Listed(run_.run_dir), ElementsAre("checkpoints", "logs"));
  EXPECT_THAT(Listed(run_.plan.checkpoint_dir), ElementsAre("kept"));
}

TEST_F(NewRunDirTest, AnErrorLeavesNothingBehind) {
  ASSERT_TRUE(AtomicWrite(JoinPath(dir_.path(), "file"), "").ok());
  run_.plan.checkpoint_dir = JoinPath(dir_.path(), "file");
  EXPECT_FALSE(NewRunDir::Make(run_, "{}").ok());
  EXPECT_THAT(Listed(JoinPath(dir_.path(), "runs")), IsEmpty());
}

}  // namespace
}  // namespace galley::service
