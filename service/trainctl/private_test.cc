// train, resume and generate: runs with daemons of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/trainctl/testing.h"

namespace galley::trainctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kShort[] = R"({"steps": 20, "save_every": 5})";
constexpr char kSlow[] =
    R"({"steps": 400, "step_ms": 5, "actions": [{"attempt": 1, "step": 100, "do": "wait"}]})";

class PrivateTest : public ServiceTest {
 protected:
  // Until the run of this directory has taken steps.
  nlohmann::json AwaitSteps(const std::string& dir) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (true) {
      const Ran ran = Trainctl({"status", dir, "-o", "json"});
      if (ran.code == kOk) {
        nlohmann::json status = nlohmann::json::parse(ran.out);
        if (status["step"] > 0) return status;
      }
      if (absl::Now() > deadline) {
        ADD_FAILURE() << ran.err << Output("train.err");
        return {};
      }
    }
  }
  int Sockets() {
    int n = 0;
    for (const std::string& name : Names(JoinPath(home_.path(), absl::StrCat("galley-", geteuid())))) {
      n += name.rfind("p-", 0) == 0 ? 1 : 0;
    }
    return n;
  }
};

TEST_F(PrivateTest, TrainGoesFromRecipeToEndAndLeavesNoDaemon) {
  const std::string dir = NewRunDir(kShort);
  const Ran ran = Trainctl({"train", "tiny.yaml", "--run-dir", dir, "-o", "json"});
  EXPECT_EQ(ran.code, kOk) << ran.err;
  const nlohmann::json row = nlohmann::json::parse(ran.out);
  EXPECT_EQ(row["state"], "SUCCEEDED");
  EXPECT_EQ(row["run_dir"], dir);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("RUNNING"), HasSubstr("step 20/20")));
  EXPECT_TRUE(FileExists(JoinPath(dir, "result.json")));
  EXPECT_TRUE(FileExists(JoinPath(dir, "metrics.jsonl")));
  EXPECT_EQ(Sockets(), 0);
  const Ran again = Trainctl({"train", "tiny.yaml", "--run-dir", dir});
  EXPECT_EQ(again.code, kConflict);
  EXPECT_THAT(again.err, HasSubstr("another run lives here"));
  EXPECT_EQ(Trainctl({"resume", dir}).code, kConflict);
}

TEST_F(PrivateTest, InterruptSavesAndPausesAndResumeGoesOn) {
  for (const int signal : {SIGINT, SIGHUP}) {
    const std::string dir = NewRunDir(R"({"steps": 600, "step_ms": 5})");
    Child train = StartTrainctl({"train", "tiny.yaml", "--run-dir", dir}, "train");
    const nlohmann::json status = AwaitSteps(dir);
    train.Signal(signal);
    EXPECT_EQ(train.Wait(), kInterrupted) << Output("train.err");
    EXPECT_THAT(Output("train.err"),
                AllOf(HasSubstr("saving"), HasSubstr("trainctl resume " + status["id"].get<std::string>())));
    EXPECT_EQ(nlohmann::json::parse(ReadFile(JoinPath(dir, "result.json")).value())["state"], "PAUSED");
    const nlohmann::json paused = Json({"status", dir});  // of the directory: no daemon is left
    EXPECT_EQ(paused["state"], "PAUSED");
    EXPECT_EQ(paused["stop_cause"], "pause");
    EXPECT_GT(paused["checkpoint_step"], 0);
    EXPECT_EQ(Trainctl({"cancel", dir}).code, kUnreachable);
    const std::string by = signal == SIGINT ? status["id"].get<std::string>() : dir;
    const Ran resumed = Trainctl({"resume", by, "-o", "json"});
    EXPECT_EQ(resumed.code, kOk) << resumed.err;
    const nlohmann::json row = nlohmann::json::parse(resumed.out);
    EXPECT_EQ(row["state"], "SUCCEEDED");
    EXPECT_EQ(row["attempt"], 2);
  }
}

TEST_F(PrivateTest, ASecondInterruptPausesWithoutASave) {
  // Its ranks wait in the second step, so the save that the first one asks for cannot come.
  const std::string dir = NewRunDir(R"({"actions": [{"attempt": 1, "step": 2, "do": "wait"}]})");
  Child train = StartTrainctl({"train", "tiny.yaml", "--run-dir", dir}, "train");
  const std::string id = AwaitSteps(dir)["id"];
  train.Signal(SIGINT);
  EXPECT_EQ(Await(id, {"DRAINING"})["stop_cause"], "pause");
  train.Signal(SIGINT);
  EXPECT_EQ(train.Wait(), kInterrupted) << Output("train.err");
  EXPECT_THAT(Output("train.err"),
              AllOf(HasSubstr("saving, then pausing"), HasSubstr("pausing without a save"),
                    HasSubstr("go on with: trainctl resume " + id)));
  const nlohmann::json paused = Json({"status", id});
  EXPECT_EQ(paused["state"], "PAUSED");
  EXPECT_EQ(paused["stop_cause"], "pause_now");
  EXPECT_EQ(paused["checkpoint_step"], 0);
  EXPECT_EQ(Json({"checkpoints", id}).size(), 0u);
  EXPECT_EQ(Sockets(), 0);
  // Nothing was saved: the second attempt, which does not wait, begins anew.
  EXPECT_EQ(Trainctl({"resume", id}).code, kOk);
  EXPECT_EQ(Json({"status", id})["attempt"], 2);
}

TEST_F(PrivateTest, ExitDurationExitsPending) {
  const std::string dir = NewRunDir(R"({"steps": 1000000, "step_ms": 5})");
  const Ran ran =
      Trainctl({"train", "tiny.yaml", "--run-dir", dir, "--set", "limits.exit_duration=1s", "-o", "json"});
  EXPECT_EQ(ran.code, kPending) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["state"], "PAUSED");
  EXPECT_THAT(ran.err, HasSubstr("go on with: trainctl resume"));
}

TEST_F(PrivateTest, EndsHaveTheirCodes) {
  EXPECT_EQ(
      Trainctl({"train", "tiny.yaml", "--run-dir", NewRunDir(R"({"actions": [{"step": 3, "do": "nan"}]})")})
          .code,
      kRunHeld);
  const std::string dir = NewRunDir(R"({"steps": 1000000, "step_ms": 5})");
  Child train = StartTrainctl({"train", "tiny.yaml", "--run-dir", dir}, "train");
  AwaitSteps(dir);
  EXPECT_EQ(Trainctl({"cancel", dir, "--now"}).code, kOk);
  EXPECT_EQ(train.Wait(), kRunCancelled) << Output("train.err");
}

TEST_F(PrivateTest, ADeadPrivateDaemonIsStartedAgainAndTheRunGoesOn) {
  const std::string dir = NewRunDir(kSlow);
  Child train = StartTrainctl({"train", "tiny.yaml", "--run-dir", dir}, "train");
  AwaitSteps(dir);
  // The lock of the private state holds the controller's pid.
  const pid_t controller = std::stoi(ReadFile(JoinPath(dir, ".service/lock")).value());
  ASSERT_EQ(kill(controller, SIGKILL), 0);
  Go(dir);
  EXPECT_EQ(train.Wait(), kOk) << Output("train.err");
  EXPECT_EQ(nlohmann::json::parse(ReadFile(JoinPath(dir, "result.json")).value())["attempts"], 1);
}

TEST_F(PrivateTest, ARefusedRecipeLeavesNothing) {
  const Ran ran = Trainctl({"train", "tiny.yaml", "--set", "data.train[0].path=nowhere"});
  EXPECT_EQ(ran.code, kInvalidRecipe) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("error: "));
  EXPECT_THAT(Names(JoinPath(work(), "runs")), testing::IsEmpty());
  EXPECT_EQ(Trainctl({"train", "tiny.yaml", "--set", "precision.compute=fp16"}).code, kInvalidRecipe);
  EXPECT_EQ(Sockets(), 0);
}

TEST_F(PrivateTest, GenerateNamesWhatItCannotUse) {
  const std::string dir = NewRunDir(kShort);
  ASSERT_EQ(Trainctl({"train", "tiny.yaml", "--run-dir", dir}).code, kOk);
  // fake-rank cannot generate: its failure is an error, not a success without text.
  EXPECT_EQ(Trainctl({"generate", dir, "--prompt", "In the"}).code, kError);
  EXPECT_EQ(Trainctl({"generate", JoinPath(dir, "checkpoints/step-20"), "-o", "json"}).code, kError);
  ASSERT_TRUE(RemoveTree(JoinPath(dir, "checkpoints")).ok());
  EXPECT_EQ(Trainctl({"generate", dir}).code, kNotFound);
}

}  // namespace
}  // namespace galley::trainctl
