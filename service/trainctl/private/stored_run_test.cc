// Run directories without daemons, as the reading verbs meet them.
#include "service/trainctl/private/stored_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "runtime/metrics/report.h"
#include "service/trainctl/testing.h"

namespace galley::trainctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// A run whose daemons were killed in the middle of a step: no result, and half a line at the end.
class KilledRun : public testing::Test {
 protected:
  KilledRun() {
    Write("events.jsonl",
          R"({"seq":1,"time":"2026-11-21T06:00:00.250Z","kind":"submitted","attempt":0,"from":"ACCEPTED",)"
          R"("to":"ACCEPTED","message":"m"})"
          "\n"
          R"({"seq":2,"time":"2026-11-21T06:00:01.000Z","kind":"training","attempt":1,"from":"LAUNCHING",)"
          R"("to":"RUNNING","message":""})"
          "\n"
          R"({"seq":3,"time":"2026)");
    Write("metrics.jsonl",
          "{\"step\":6,\"attempt\":1,\"samples\":24,\"tokens\":96,\"loss\":3.5,\"validation_loss\":4}\n"
          "{\"step\":7,\"attempt\":1,\"samples\":28,\"tokens\":112,\"loss\":2.5}\n"
          "{\"step\":8,\"atte");
    EXPECT_TRUE(MakeDirs(JoinPath(dir_.path(), "logs")).ok());
    Write("logs/attempt-1.rank-0.log", "one\ntwo");
    Write("logs/attempt-1.rank-1.log", "three\n");
    Write("logs/controller.log", "not a rank's\n");
  }
  void Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(AtomicWrite(JoinPath(dir_.path(), name), text).ok());
  }
  TempDir dir_;
  const std::unique_ptr<Client> run_ = OpenStored({"abcdefgh", "tiny", dir_.path()});
};

TEST_F(KilledRun, StandsWhereItsLastEventAndStepLeftIt) {
  const v1::RunSummary summary = run_->Get("").value();
  EXPECT_EQ(summary.run_id(), "abcdefgh");
  EXPECT_EQ(summary.state(), v1::RunState::RUNNING);
  EXPECT_THAT(summary.reason(), HasSubstr("daemons ended"));
  EXPECT_EQ(summary.next(), "waits for: trainctl resume abcdefgh");
  EXPECT_EQ(summary.attempt(), 1);
  EXPECT_EQ(summary.step(), 7);
  EXPECT_EQ(metrics::FromReport(summary.latest()).Get<"loss">(), 2.5);
  EXPECT_EQ(metrics::FromReport(summary.latest()).Get<"validation_loss">(), 4);
  EXPECT_EQ(metrics::FromReport(summary.latest()).Get<"samples">(), 28);
  EXPECT_EQ(summary.created_unix_ms() % 1000, 250);
  EXPECT_EQ(summary.updated_unix_ms() - summary.created_unix_ms(), 750);
}

TEST_F(KilledRun, EventsAndLogsComeWhole) {
  std::vector<int64_t> seqs;
  v1::EventsRequest events;
  events.set_since(1);
  ASSERT_TRUE(run_->Events(events,
                           [&](const v1::EventMessage& event) {
                             seqs.push_back(event.seq());
                             return true;
                           })
                  .ok());
  EXPECT_THAT(seqs, testing::ElementsAre(2));
  std::string text;
  v1::LogsRequest logs;
  logs.set_rank(-1);
  const auto take = [&](const v1::LogChunk& chunk) {
    text += std::to_string(chunk.rank()) + ":" + chunk.text() + ";";
    return true;
  };
  ASSERT_TRUE(run_->Logs(logs, take).ok());
  EXPECT_EQ(text, "0:one\ntwo;1:three\n;");
  text.clear();
  logs.set_rank(1);
  ASSERT_TRUE(run_->Logs(logs, take).ok());
  EXPECT_EQ(text, "1:three\n;");
}

TEST_F(KilledRun, WhatWouldMoveItSaysHowToGoOn) {
  v1::StopRequest stop;
  const absl::Status status = run_->Stop(stop).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("trainctl resume abcdefgh"));
  EXPECT_TRUE(absl::IsUnavailable(
      run_->Watch({}, absl::InfiniteDuration(), [](const v1::WatchReply&) { return true; })));
}

TEST_F(KilledRun, DamageIsNamed) {
  Write("result.json", "{\"state\":");
  EXPECT_THAT(std::string(run_->Get("").status().message()), HasSubstr("result.json: damaged"));
  const TempDir empty;
  EXPECT_TRUE(absl::IsNotFound(OpenStored({"abcdefgh", "tiny", empty.path()})->Get("").status()));
}

class StoredRunTest : public ServiceTest {};

// One run, asked of its living controller at its end, and of its directory afterwards.
TEST_F(StoredRunTest, AFinishedPrivateRunReadsAsItDidAlive) {
  const std::string dir = NewRunDir(R"({"steps": 20, "save_every": 5, "evaluate_every": 10})");
  const Ran train = Trainctl({"train", "tiny.yaml", "--run-dir", dir, "-o", "json"});
  ASSERT_EQ(train.code, kOk) << train.err;
  const nlohmann::json alive = nlohmann::json::parse(train.out);
  const std::string id = alive["id"];
  EXPECT_EQ(alive["validation_loss"], alive["loss"].get<double>() + 0.5);
  for (const std::string& reference : {id, dir, std::string("tiny")}) {
    nlohmann::json stored = Json({"status", reference});
    EXPECT_EQ(stored["source"], "run directory");
    for (const auto& [key, value] : alive.items()) {
      // The metrics server has ended with its trainerd.
      if (key == "metrics_address") continue;
      EXPECT_EQ(stored[key], value) << key;
    }
  }
  const Ran table = Trainctl({"status", id});
  EXPECT_THAT(table.out, AllOf(HasSubstr("SUCCEEDED"), HasSubstr("20/20"), HasSubstr("run directory")));
  EXPECT_THAT(table.err, HasSubstr("run " + id + " has no daemons now: read from " + dir));

  const nlohmann::json checkpoints = Json({"checkpoints", id});
  ASSERT_EQ(checkpoints.size(), 4u);
  EXPECT_EQ(checkpoints.back()["step"], 20);
  EXPECT_EQ(checkpoints.back()["status"], "OK");
  EXPECT_EQ(checkpoints.back()["tokens"], 20 * 4096);
  EXPECT_THAT(Trainctl({"checkpoints", dir}).out, AllOf(HasSubstr("STEP"), HasSubstr("step-20")));

  const std::vector<nlohmann::json> events = Events(id);
  ASSERT_FALSE(events.empty());
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]["seq"], i + 1);
  EXPECT_EQ(events.back()["to"], "SUCCEEDED");
  EXPECT_THAT(Trainctl({"logs", id, "-f"}).out, AllOf(HasSubstr("rank 0 of 2"), HasSubstr("rank 1 of 2")));
  EXPECT_EQ(Trainctl({"watch", id}).code, kOk);
  EXPECT_EQ(Trainctl({"save", id}).code, kUnreachable);

  EXPECT_EQ(Trainctl({"list"}).code, kUnreachable);
  EXPECT_EQ(Trainctl({"list", "--private", "-o", "name"}).out, id + "\n");
  EXPECT_EQ(Json({"list", "--private", "--state", "PAUSED"}).size(), 0u);
}

}  // namespace
}  // namespace galley::trainctl
