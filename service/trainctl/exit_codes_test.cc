// Every exit code of docs/service.md, each met once by a user's command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/trainctl/testing.h"

namespace galley::trainctl {
namespace {

using testing::HasSubstr;

constexpr char kShort[] = R"({"steps": 20, "save_every": 5})";
constexpr char kLong[] = R"({"steps": 1000000, "step_ms": 5})";

class ExitCodes : public ServiceTest {
 protected:
  // Of `trainctl watch`, which ends when the run stands still.
  int Watched(const std::string& run) { return Trainctl({"watch", run}).code; }
};

TEST_F(ExitCodes, Code0IsSuccess) {
  StartService();
  EXPECT_EQ(Watched(Submit(kShort)), 0);
  EXPECT_EQ(Trainctl({"submit", "tiny.yaml", "--wait", "--run-dir", NewRunDir(kShort)}).code, 0);
  EXPECT_EQ(Trainctl({"--help"}).code, 0);
}

TEST_F(ExitCodes, Code1IsAnErrorOfNoOtherKind) {
  ASSERT_TRUE(AtomicWrite(JoinPath(work(), "bad.jsonl"), "{\"text\":2}\n").ok());
  const Ran ran =
      Trainctl({"data", "tokenize", "--input", "bad.jsonl", "--tokenizer", "bytes", "--output-prefix", "p"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("bad.jsonl:1:9"));
}

TEST_F(ExitCodes, Code2IsUsage) {
  EXPECT_EQ(Trainctl({}).code, 2);
  EXPECT_EQ(Trainctl({"fly"}).code, 2);
  EXPECT_EQ(Trainctl({"status"}).code, 2);
  EXPECT_EQ(Trainctl({"list", "-o", "xml"}).code, 2);
  EXPECT_EQ(Trainctl({"list", "--state", "WALKING"}).code, 2);
}

TEST_F(ExitCodes, Code4IsDenied) {
  StartController();
  const std::string folder = JoinPath(home_.path(), absl::StrCat("galley-", geteuid()));
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_EQ(Trainctl({"list"}).code, 4);
}

TEST_F(ExitCodes, Code5IsNotFound) {
  StartController();
  EXPECT_EQ(Trainctl({"status", "nobody"}).code, 5);
  EXPECT_EQ(Trainctl({"submit", "nowhere.yaml"}).code, 5);
  EXPECT_EQ(Trainctl({"explain", "modl.hidden"}).code, 5);
}

TEST_F(ExitCodes, Code6IsAnInvalidRecipe) {
  EXPECT_EQ(Trainctl({"validate", "tiny.yaml", "--set", "batch.micro=x"}).code, 6);
  EXPECT_EQ(Trainctl({"train", "tiny.yaml", "--set", "parallelism.tensor=2"}).code, 6);  // not built
  StartController();
  EXPECT_EQ(Trainctl({"submit", "tiny.yaml", "--set", "data.train[0].path=nowhere"}).code, 6);
}

TEST_F(ExitCodes, Code7IsAConflict) {
  StartService();
  const std::string run = Submit(kShort);
  ASSERT_EQ(Watched(run), 0);
  EXPECT_EQ(Trainctl({"resume", run}).code, 7);
  EXPECT_EQ(Trainctl({"save", run}).code, 7);
  EXPECT_EQ(Trainctl({"submit", "tiny.yaml", "--run-dir", RunDir("0")}).code, 7);
}

TEST_F(ExitCodes, Code8IsPausedOnPurpose) {
  const std::string dir = NewRunDir(kLong);
  EXPECT_EQ(Trainctl({"train", "tiny.yaml", "--run-dir", dir, "--set", "limits.exit_duration=1s"}).code, 8);
  EXPECT_EQ(Trainctl({"watch", dir}).code, 8);
}

TEST_F(ExitCodes, Code9IsTheTimeThatIsOver) {
  StartController();
  EXPECT_EQ(Trainctl({"watch", Submit(kShort), "--timeout", "0.1"}).code, 9);  // no trainerd runs it
}

TEST_F(ExitCodes, Code10IsNoController) {
  const Ran ran = Trainctl({"list"});
  EXPECT_EQ(ran.code, 10);
  EXPECT_THAT(ran.err, HasSubstr("no controller answers"));
}

TEST_F(ExitCodes, Code20IsAFailedRun) {
  StartController();
  const std::string run = Submit(kShort);
  ASSERT_TRUE(RemoveTree(RunDir("0")).ok());
  StartTrainerd();
  EXPECT_EQ(Watched(run), 20);
}

TEST_F(ExitCodes, Code21IsACancelledRun) {
  StartController();
  const std::string run = Submit(kShort);
  EXPECT_EQ(Trainctl({"cancel", run}).code, 0);
  EXPECT_EQ(Watched(run), 21);
}

TEST_F(ExitCodes, Code22IsAHeldRun) {
  EXPECT_EQ(
      Trainctl({"train", "tiny.yaml", "--run-dir", NewRunDir(R"({"actions": [{"step": 3, "do": "nan"}]})")})
          .code,
      22);
}

TEST_F(ExitCodes, Code130IsAnInterrupt) {
  StartService();
  const std::string run = Submit(kLong);
  Child submitting =
      StartTrainctl({"submit", "tiny.yaml", "--wait", "--run-dir", NewRunDir(kShort)}, "submitting");
  AwaitStatus(run, [](const nlohmann::json& s) { return s["step"] > 0; });
  Child watching = StartTrainctl({"watch", run}, "watching");
  const absl::Time deadline = absl::Now() + kPatience;
  while (Output("watching.err").find("RUNNING") == std::string::npos) ASSERT_LT(absl::Now(), deadline);
  watching.Signal(SIGINT);
  EXPECT_EQ(watching.Wait(), 130);
  EXPECT_EQ(Json({"status", run})["state"], "RUNNING");
  while (Output("submitting.err").find("QUEUED") == std::string::npos) ASSERT_LT(absl::Now(), deadline);
  submitting.Signal(SIGINT);
  EXPECT_EQ(submitting.Wait(), 130);
  Json({"cancel", run, "--now", "--wait"});
}

}  // namespace
}  // namespace galley::trainctl
