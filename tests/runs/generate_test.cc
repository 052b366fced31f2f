// Text from a checkpoint that was really trained, by the real galley-rank.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/runs/small_run.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using testing::Outcome;

class GenerateTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    home_ = new TempDir;
    testing::PrepareSmallRun(home_->path());
    const Outcome trained =
        testing::Run(testing::TrainArgs(RunDir()), home_->path(), 120, testing::TrainEnv(home_->path()));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  static void TearDownTestSuite() { delete home_; }
  static std::string RunDir() { return JoinPath(home_->path(), "run"); }

  static Outcome Generate(const std::string& from, const std::vector<std::string>& more) {
    std::vector<std::string> args = {testing::Bin("trainctl"), "generate", from, "--threads", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return testing::Run(args, home_->path(), 120, testing::TrainEnv(home_->path()));
  }

  static inline TempDir* home_ = nullptr;
};

TEST_F(GenerateTest, TheSameSeedGivesTheSameTextAndAnotherSeedAnother) {
  const auto text = [](const std::string& seed) {
    const Outcome outcome = Generate(
        RunDir(), {"--prompt", "and the ", "--max-tokens", "24", "--temperature", "1", "--seed", seed});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string first = text("7");
  EXPECT_GE(first.size(), 24u);  // a byte a token
  EXPECT_EQ(text("7"), first);
  EXPECT_NE(text("8"), first);
}

TEST_F(GenerateTest, WithoutTemperatureTheSeedDoesNotMatterAndTheTextIsOfTheCorpus) {
  const std::vector<std::string> likeliest = {"--prompt", "and the ",      "--max-tokens",
                                              "40",       "--temperature", "0"};
  std::vector<std::string> other_seed = likeliest;
  other_seed.insert(other_seed.end(), {"--seed", "99"});
  const Outcome one = Generate(RunDir(), likeliest), two = Generate(RunDir(), other_seed);
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, two.out);
  ASSERT_GE(one.out.size(), 40u);
  // It has learnt that there are letters and spaces only.
  EXPECT_EQ(one.out.find_first_not_of("abcdefghijklmnopqrstuvwxyzLORDM \n"), std::string::npos) << one.out;
}

TEST_F(GenerateTest, JsonNamesCheckpointPromptAndText) {
  const std::vector<std::string> options = {"--prompt", "and the ", "--max-tokens", "24", "--seed", "7"};
  const Outcome plain = Generate(RunDir(), options);
  std::vector<std::string> as_json = options;
  as_json.insert(as_json.end(), {"-o", "json"});
  const std::string checkpoint =
      JoinPath(RunDir(), "checkpoints/step-" + std::to_string(testing::kSmallSteps));
  // The run's directory, its name, and the checkpoint itself mean the same weights.
  for (const std::string& from : {RunDir(), std::string("kill"), checkpoint}) {
    const Outcome outcome = Generate(from, as_json);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const nlohmann::json json = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(json["checkpoint"], checkpoint);
    EXPECT_EQ(json["prompt"], "and the ");
    EXPECT_EQ(json["text"], plain.out);
  }
}

}  // namespace
}  // namespace galley
