// Runs of a shared controller, through every verb that speaks to one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "service/trainctl/testing.h"
#include "tests/support/paths.h"

namespace galley::trainctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kShort[] = R"({"steps": 20, "save_every": 5})";
constexpr char kLong[] = R"({"steps": 1000000, "step_ms": 5})";

TEST_F(ServiceTest, ARunSucceedsAndEveryVerbShowsIt) {
  StartService();
  const std::string run = Submit(kShort);
  EXPECT_EQ(Trainctl({"watch", run}).code, kOk);
  const nlohmann::json status = Json({"status", run});
  EXPECT_EQ(status["state"], "SUCCEEDED");
  EXPECT_EQ(status["step"], 20);
  EXPECT_EQ(status["attempt"], 1);
  EXPECT_EQ(status["checkpoint_step"], 20);
  EXPECT_NEAR(status["loss"], 6.0 / 21 + 1, 1e-12);
  EXPECT_THAT(Trainctl({"status", run}).out, AllOf(HasSubstr("SUCCEEDED"), HasSubstr("20/20")));

  EXPECT_EQ(Json({"list"})[0]["id"], run);
  EXPECT_EQ(Trainctl({"list", "-o", "name"}).out, run + "\n");
  EXPECT_THAT(Trainctl({"list"}).out, AllOf(HasSubstr("STATE"), HasSubstr(run)));
  EXPECT_EQ(Json({"list", "--state", "RUNNING"}).size(), 0u);
  EXPECT_EQ(Trainctl({"list", "--state", "WALKING"}).code, kUsage);

  const nlohmann::json checkpoints = Json({"checkpoints", run});
  ASSERT_FALSE(checkpoints.empty());
  EXPECT_EQ(checkpoints.back()["step"], 20);
  EXPECT_EQ(checkpoints.back()["status"], "OK");
  EXPECT_EQ(checkpoints.back()["tokens"], 20 * 4096);
  EXPECT_THAT(Trainctl({"checkpoints", run}).out, HasSubstr("step-20"));
  // The stand-in for a rank writes checkpoints as versions before lineage did.
  EXPECT_TRUE(checkpoints.back()["sources"].is_null());
  EXPECT_THAT(Trainctl({"checkpoints", run, "-o", "wide"}).out, HasSubstr("not recorded"));
  EXPECT_THAT(Trainctl({"checkpoints", run, "--sources"}).out, HasSubstr("not recorded"));

  const nlohmann::json nodes = Json({"nodes"});
  EXPECT_EQ(nodes[0]["name"], "n1");
  EXPECT_EQ(nodes[0]["state"], "READY");
  EXPECT_THAT(Trainctl({"nodes"}).out, HasSubstr("n1"));

  EXPECT_THAT(Trainctl({"logs", run}).out, AllOf(HasSubstr("rank 0 of 2"), HasSubstr("rank 1 of 2")));
  EXPECT_THAT(Trainctl({"logs", run, "--rank", "1"}).out, testing::Not(HasSubstr("rank 0 of 2")));
  EXPECT_THAT(Trainctl({"logs", run, "-f", "-o", "json"}).out, HasSubstr("\"attempt\":1"));

  const std::vector<nlohmann::json> events = Events(run);
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]["seq"], i + 1);
  EXPECT_EQ(events.front()["kind"], "submitted");
  EXPECT_EQ(events.back()["to"], "SUCCEEDED");
  EXPECT_EQ(Json({"events", run, "--since", "2"}).size(), events.size() - 2);
  EXPECT_THAT(Trainctl({"events", run}).out, HasSubstr("attempt_planned"));
}

TEST_F(ServiceTest, TheRunDirectoryTellsTheWholeStory) {
  StartService();
  const std::string run = Submit(kShort);
  ASSERT_EQ(Trainctl({"watch", run}).code, kOk);
  const std::string dir = Json({"status", run})["run_dir"];
  EXPECT_THAT(ReadFile(JoinPath(dir, "recipe.yaml")).value(), HasSubstr("# Paths are relative to " + work()));
  EXPECT_TRUE(nlohmann::json::parse(ReadFile(JoinPath(dir, "plan.json")).value()).is_object());
  const nlohmann::json result = nlohmann::json::parse(ReadFile(JoinPath(dir, "result.json")).value());
  EXPECT_EQ(result["state"], "SUCCEEDED");
  EXPECT_EQ(result["steps"], 20);
  EXPECT_GT(result["wall_seconds"], 0);
  EXPECT_EQ(result["checkpoint"]["path"], JoinPath(dir, "checkpoints/step-20"));
  const std::vector<std::string> lines =
      absl::StrSplit(ReadFile(JoinPath(dir, "events.jsonl")).value(), '\n', absl::SkipEmpty());
  const std::vector<nlohmann::json> events = Events(run);
  ASSERT_EQ(lines.size(), events.size());
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(nlohmann::json::parse(lines[i]), events[i]);
}

TEST_F(ServiceTest, ADeadRankIsReplacedFromTheLastCheckpoint) {
  StartService();
  const std::string run = Submit(
      R"({"steps": 20, "save_every": 5, "actions": [{"attempt": 1, "rank": 0, "step": 8, "do": "kill"}]})");
  EXPECT_EQ(Trainctl({"watch", run}).code, kOk);
  EXPECT_EQ(Json({"status", run})["attempt"], 2);
  std::string planned, failed;
  for (const nlohmann::json& event : Events(run)) {
    if (event["kind"] == "attempt_planned") planned = event["message"];
    if (event["kind"] == "attempt_failed") failed += event["message"];
  }
  EXPECT_THAT(planned, HasSubstr("checkpoints/step-5"));
  EXPECT_THAT(failed, HasSubstr("rank 0 was killed by signal 9"));
}

TEST_F(ServiceTest, ThreeFailuresWithoutProgressHoldTheRun) {
  StartService();
  const std::string run = Submit(R"({"actions": [{"rank": 0, "step": 1, "do": "exit:3"}]})");
  EXPECT_EQ(Trainctl({"watch", run}).code, kRunHeld);
  const nlohmann::json status = Json({"status", run});
  EXPECT_EQ(status["attempt"], 3);
  EXPECT_THAT(status["reason"].get<std::string>(),
              AllOf(HasSubstr("3 failures without progress"), HasSubstr("status 3")));
  EXPECT_EQ(Trainctl({"cancel", run}).code, kOk);
  EXPECT_EQ(Trainctl({"watch", run}).code, kRunCancelled);
}

TEST_F(ServiceTest, ALossThatIsNotANumberHoldsTheRunAtOnceWithItsStep) {
  StartService();
  const std::string run = Submit(R"({"save_every": 5, "actions": [{"attempt": 1, "step": 8, "do": "nan"}]})");
  EXPECT_EQ(Trainctl({"watch", run}).code, kRunHeld);
  const nlohmann::json status = Json({"status", run});
  EXPECT_EQ(status["attempt"], 1);
  EXPECT_THAT(status["reason"].get<std::string>(), AllOf(HasSubstr("loss is nan"), HasSubstr("step 7")));
  // A human looked at it; the second attempt has no NaN.
  EXPECT_EQ(Json({"resume", run})["id"], run);
  EXPECT_EQ(Trainctl({"watch", run}).code, kOk);
}

TEST_F(ServiceTest, CancelSavesFirst) {
  StartService();
  const std::string run = Submit(kLong);
  Await(run, {"RUNNING"});
  EXPECT_EQ(Json({"cancel", run, "--wait"})["state"], "CANCELLED");
  EXPECT_GT(Json({"status", run})["checkpoint_step"], 0);
  EXPECT_EQ(Trainctl({"watch", run}).code, kRunCancelled);
  EXPECT_EQ(Trainctl({"resume", run}).code, kConflict);
  EXPECT_EQ(Trainctl({"cancel", run}).code, kOk);  // said twice is said once
}

TEST_F(ServiceTest, CancelNowDoesNot) {
  StartService();
  const std::string run = Submit(kLong);
  Await(run, {"RUNNING"});
  EXPECT_EQ(Json({"cancel", run, "--now", "--wait"})["state"], "CANCELLED");
  EXPECT_EQ(Json({"status", run})["checkpoint_step"], 0);
}

TEST_F(ServiceTest, SaveGivesTheCommittedCheckpoint) {
  StartService();
  const std::string run = Submit(kLong);
  EXPECT_EQ(Trainctl({"save", "nobody"}).code, kNotFound);
  Await(run, {"RUNNING"});
  const nlohmann::json saved = Json({"save", run});
  EXPECT_TRUE(FileExists(JoinPath(saved["path"].get<std::string>(), "manifest.json")));
  EXPECT_GT(saved["step"], 0);
  EXPECT_THAT(Trainctl({"save", run}).out, HasSubstr("step-"));
  Json({"cancel", run, "--now", "--wait"});
  EXPECT_EQ(Trainctl({"save", run}).code, kConflict);
}

TEST_F(ServiceTest, SaveWhileTheNodeIsAwayNamesTheNode) {
  StartService();
  const std::string run = Submit(kLong);
  Await(run, {"RUNNING"});
  trainerd_.Signal(SIGKILL);
  trainerd_.Wait();
  const absl::Time deadline = absl::Now() + kPatience;
  while (Json({"nodes"})[0]["state"] != "AWAY") ASSERT_LT(absl::Now(), deadline);
  const Ran save = Trainctl({"save", run});
  EXPECT_EQ(save.code, kUnreachable);
  EXPECT_THAT(save.err, HasSubstr("node n1 is away; try again when it is back"));
  StartTrainerd();
  Json({"cancel", run, "--now", "--wait"});
}

TEST_F(ServiceTest, ExitDurationPausesAndResumeGoesOn) {
  StartService();
  const std::string run = Submit(kLong, {"--set", "limits.exit_duration=3s"});
  EXPECT_EQ(Trainctl({"watch", run}).code, kPending);
  const nlohmann::json paused = Json({"status", run});
  EXPECT_EQ(paused["state"], "PAUSED");
  EXPECT_EQ(paused["stop_cause"], "exit_duration");
  EXPECT_GT(paused["checkpoint_step"], 0);
  Json({"resume", run});
  const nlohmann::json again =
      AwaitStatus(run, [&](const nlohmann::json& s) { return s["step"] > paused["checkpoint_step"]; });
  EXPECT_EQ(again["attempt"], 2);
  Json({"cancel", run, "--now", "--wait"});
}

TEST_F(ServiceTest, AKilledControllerCostsTheRunNothing) {
  StartService();
  const std::string run = Submit(kLong);
  const nlohmann::json before = AwaitStatus(run, [](const nlohmann::json& s) { return s["step"] > 0; });
  controller_.Signal(SIGKILL);
  EXPECT_EQ(controller_.Wait(), 128 + SIGKILL);
  EXPECT_EQ(Trainctl({"status", run}).code, kUnreachable);
  StartController();
  const nlohmann::json after = AwaitStatus(
      run, [&](const nlohmann::json& s) { return s["step"] > before["step"] && s["state"] == "RUNNING"; });
  EXPECT_EQ(after["attempt"], 1);
  EXPECT_EQ(Count(run, "attempt_planned"), 1);
  EXPECT_EQ(Json({"cancel", run, "--wait"})["state"], "CANCELLED");
  EXPECT_EQ(Count(run, "attempt_failed"), 0);
}

TEST_F(ServiceTest, AControllerThatIsToldToEndAnswersAndEnds) {
  StartService();
  const std::string run =
      Submit(R"({"steps": 1000000, "step_ms": 5, "actions": [{"step": 1, "do": "wait"}]})");
  Await(run, {"RUNNING"});
  Child saving = StartTrainctl({"save", run}, "saving");  // the waiting ranks do not get to it
  Child following = StartTrainctl({"logs", run, "-f"}, "following");
  const absl::Time deadline = absl::Now() + kPatience;
  while (Output("following.out").find("rank 0 of 2") == std::string::npos) ASSERT_LT(absl::Now(), deadline);
  controller_.Signal(SIGTERM);
  EXPECT_EQ(controller_.Wait(), 0);
  EXPECT_NE(saving.Wait(), kOk);
  EXPECT_NE(following.Wait(), -1);
  Go(RunDir("0"));
}

TEST_F(ServiceTest, ASecondControllerIsRefused) {
  StartController();
  const std::string log = JoinPath(home_.path(), "second");
  const std::string program = JoinPath(BinDir(), "galley-controller");
  Child same_state({program, "--listen", "unix:" + JoinPath(home_.path(), "other.sock")}, environment_, log,
                   log, work());
  EXPECT_EQ(same_state.Wait(), kConflict);
  EXPECT_THAT(ReadFile(log).value(), HasSubstr("another galley-controller holds this state"));
  Child same_socket({program, "--state-dir", JoinPath(home_.path(), "other")}, environment_, log, log,
                    work());
  EXPECT_EQ(same_socket.Wait(), kConflict);
  EXPECT_THAT(ReadFile(log).value(), HasSubstr("listens here"));
  EXPECT_EQ(Trainctl({"list"}).code, kOk);
  Child open_to_all({program, "--state-dir", JoinPath(home_.path(), "third"), "--listen", "0.0.0.0:0"},
                    environment_, log, log, work());
  EXPECT_EQ(open_to_all.Wait(), 1);
  EXPECT_THAT(ReadFile(log).value(), HasSubstr("--token-file"));
}

TEST_F(ServiceTest, ARunWhoseDirectoryIsGoneFails) {
  StartService();
  const std::string run = Submit(kLong, {"--set", "limits.exit_duration=1s"});
  ASSERT_EQ(Trainctl({"watch", run}).code, kPending);
  ASSERT_TRUE(RemoveTree(Json({"status", run})["run_dir"]).ok());
  Json({"resume", run});
  EXPECT_EQ(Trainctl({"watch", run}).code, kRunFailed);
  EXPECT_THAT(Json({"status", run})["reason"].get<std::string>(), HasSubstr("run directory is gone"));
}

TEST_F(ServiceTest, RefusalsHaveTheirPlaceAndTheirCode) {
  EXPECT_EQ(Trainctl({"list"}).code, kUnreachable);
  StartService();
  const Ran missing = Trainctl({"submit", "tiny.yaml", "--set", "data.train[0].path=nowhere"});
  EXPECT_EQ(missing.code, kInvalidRecipe);
  EXPECT_THAT(missing.err, HasSubstr("--set data.train[0].path: error: "));
  ASSERT_TRUE(RemoveTree(JoinPath(work(), "corpus.idx")).ok());
  EXPECT_THAT(Trainctl({"submit", "tiny.yaml"}).err, HasSubstr("tiny.yaml:8:"));
  const Ran not_built = Trainctl({"submit", "tiny.yaml", "--set", "parallelism.tensor=2"});
  EXPECT_EQ(not_built.code, kInvalidRecipe);
  EXPECT_THAT(not_built.err, HasSubstr("not built in this version"));
  EXPECT_EQ(Json({"list"}).size(), 0u);  // none of them left a run
  EXPECT_EQ(Trainctl({"submit"}).code, kUsage);
  EXPECT_EQ(Trainctl({"status", "nobody"}).code, kNotFound);
  EXPECT_EQ(Trainctl({"submit", "nowhere.yaml"}).code, kNotFound);
  EXPECT_EQ(Trainctl({"generate", "nobody"}).code, kNotFound);
}

TEST_F(ServiceTest, WatchingEndsAtItsTimeAndTheRunGoesOn) {
  StartService();
  const std::string run = Submit(kLong);
  EXPECT_EQ(Trainctl({"watch", run, "--timeout", "0.2"}).code, kTimeout);
  Child watching = StartTrainctl({"watch", run}, "watching");
  const absl::Time deadline = absl::Now() + kPatience;
  while (Output("watching.err").find("RUNNING") == std::string::npos) ASSERT_LT(absl::Now(), deadline);
  watching.Signal(SIGINT);
  EXPECT_EQ(watching.Wait(), kInterrupted);
  EXPECT_THAT(Output("watching.err"), HasSubstr("the run goes on"));
  EXPECT_EQ(Json({"status", run})["state"], "RUNNING");
  EXPECT_EQ(Json({"cancel", run, "--now", "--wait"})["state"], "CANCELLED");
}

TEST_F(ServiceTest, OneIdempotencyKeyIsOneRun) {
  StartController();
  const std::string first = Submit(kShort, {"--idempotency-key", "k"});
  EXPECT_EQ(Submit(kShort, {"--idempotency-key", "k"}), first);
  EXPECT_EQ(Json({"list"}).size(), 1u);
  // No trainerd is there: the run says what it waits for.
  EXPECT_THAT(Json({"status", first})["next"].get<std::string>(), HasSubstr("no trainerd is attached"));
}

TEST_F(ServiceTest, AnotherUsersSocketFolderIsDenied) {
  StartController();
  ASSERT_EQ(chmod(JoinPath(home_.path(), absl::StrCat("galley-", geteuid())).c_str(), 0777), 0);
  const Ran ran = Trainctl({"list"});
  EXPECT_EQ(ran.code, kDenied);
  EXPECT_THAT(ran.err, HasSubstr("chmod 700"));
}

}  // namespace
}  // namespace galley::trainctl
