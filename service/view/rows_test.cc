#include "service/view/rows.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "runtime/metrics/report.h"
#include "service/view/checkpoint_rows.h"
#include "service/view/names.h"

namespace galley::view {
namespace {

using Json = nlohmann::ordered_json;

TEST(Rows, KeysOfARunAndTheirOrderAreTheContract) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : RowOf(v1::RunSummary())) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"id",
                                            "name",
                                            "state",
                                            "reason",
                                            "next",
                                            "attempt",
                                            "step",
                                            "total_steps",
                                            "loss",
                                            "validation_loss",
                                            "tokens_per_second",
                                            "mfu",
                                            "eta_seconds",
                                            "wall_seconds",
                                            "samples",
                                            "tokens",
                                            "checkpoint_step",
                                            "checkpoint",
                                            "run_dir",
                                            "metrics_address",
                                            "stop_cause",
                                            "recipe_hash",
                                            "created",
                                            "updated",
                                            "progress"}));
}

TEST(Rows, ARunHasEveryMetricThatStatusNames) {
  metrics::StepRecord record;
  for (size_t i = 0; i < metrics::kMetricCount; ++i) {
    if (metrics::kMetrics[i].kind == metrics::Kind::kReal) record.SetBits(i, std::bit_cast<uint64_t>(0.5));
    if (metrics::kMetrics[i].kind == metrics::Kind::kCount) record.SetBits(i, uint64_t{1} << 60);
  }
  v1::RunSummary run;
  const Json before = Json::parse(ToJson(RowOf(run)));
  *run.mutable_latest() = metrics::ToReport(record);
  const Json after = Json::parse(ToJson(RowOf(run)));
  for (const metrics::Metric& metric : metrics::kMetrics) {
    if (metric.status == nullptr) continue;
    if (metric.kind == metrics::Kind::kCount) {
      EXPECT_EQ(before.at(metric.name), 0);
      EXPECT_EQ(after.at(metric.name), int64_t{1} << 60);
    } else {
      EXPECT_TRUE(before.at(metric.name).is_null()) << metric.name;
      EXPECT_EQ(after.at(metric.name), 0.5);
    }
  }
}

TEST(Rows, NamesAreTheContract) {
  v1::RunSummary run;
  run.set_state(v1::RunState::DRAINING);
  run.set_stop_cause(v1::StopCause::EXIT_DURATION);
  const Json json = Json::parse(ToJson(RowOf(run)));
  EXPECT_EQ(json["state"], "DRAINING");
  EXPECT_EQ(json["stop_cause"], "exit_duration");
  v1::EventMessage event;
  event.set_kind(v1::EventKind::ATTEMPT_FAILED);
  event.set_from_state(v1::RunState::RUNNING);
  event.set_to_state(v1::RunState::RECOVERING);
  EXPECT_EQ(ToJson(RowOf(event)),
            "{\"seq\":0,\"time\":\"\",\"kind\":\"attempt_failed\",\"attempt\":0,\"from\":\"RUNNING\","
            "\"to\":\"RECOVERING\",\"message\":\"\"}");
  EXPECT_EQ(Json::parse(ToJson(RowOf(v1::RunSummary())))["stop_cause"], "");
  for (const std::string& name : StateNames()) EXPECT_EQ(NameOf(StateNamed(name)), name);
  EXPECT_EQ(StateNames().size(), 11u);
  EXPECT_EQ(KindNamed("attempt_failed"), v1::EventKind::ATTEMPT_FAILED);
  EXPECT_EQ(CauseNamed("pause_now"), v1::StopCause::PAUSE_NOW);
  EXPECT_EQ(StateNamed("NEVER"), v1::RunState::UNKNOWN);
  EXPECT_EQ(NameOf(v1::Phase::EVALUATE), "evaluate");
  EXPECT_EQ(NameOf(v1::NoticeKind::REPORTS_DROPPED), "reports_dropped");
  EXPECT_EQ(NameOf(v1::ProcessorKind::CPU), "cpu");
}

// Ranks that an earlier version started go on, and say as text what is a value now.
TEST(Rows, APhaseOfAnOlderVersionIsRead) {
  v1::Heartbeat beat;
  EXPECT_EQ(PhaseOf(beat), v1::Phase::UNKNOWN);
  for (const auto& [name, phase] : std::map<std::string, v1::Phase::Value>{{"load", v1::Phase::LOAD},
                                                                           {"train", v1::Phase::TRAIN},
                                                                           {"evaluate", v1::Phase::EVALUATE},
                                                                           {"save", v1::Phase::SAVE},
                                                                           {"wait", v1::Phase::WAIT}}) {
    beat.set_older_phase(name);
    EXPECT_EQ(PhaseOf(beat), phase) << name;
  }
  beat.set_phase(v1::Phase::TRAIN);
  EXPECT_EQ(PhaseOf(beat), v1::Phase::TRAIN);
}

TEST(Rows, OfANodeAreTheContract) {
  v1::NodeMessage node;
  node.mutable_info()->set_name("n1");
  node.mutable_info()->set_cores(8);
  node.mutable_info()->set_isa("avx2");
  node.set_state(v1::NodeState::BUSY);
  node.add_runs("r1");
  EXPECT_EQ(
      ToJson(RowOf(node, absl::FromUnixMillis(1'700'000'000'000))),
      "{\"name\":\"n1\",\"state\":\"BUSY\",\"cores\":8,\"memory_bytes\":0,\"isa\":\"avx2\",\"cpu\":\"\","
      "\"peak_flops_f32\":null,\"peak_flops_bf16\":null,\"peak_source\":\"\",\"runs\":[\"r1\"],"
      "\"version\":\"\",\"last_seen\":\"\",\"seen\":\"-\"}");
  node.set_last_seen_unix_ms(1'700'000'000'000 - 200'000);
  const Json seen = Json::parse(ToJson(RowOf(node, absl::FromUnixMillis(1'700'000'000'000))));
  EXPECT_EQ(seen["last_seen"], "2023-11-14T22:10:00.000Z");
  EXPECT_EQ(seen["seen"], "3m20s ago");
}

TEST(Rows, StatusSaysWhereItWasRead) {
  const v1::RunSummary run;
  EXPECT_EQ(StatusOf(run, ReadFrom::kController).size(), RowOf(run).size() + 1);
  EXPECT_EQ(Json::parse(ToJson(StatusOf(run, ReadFrom::kController)))["source"], "controller");
  EXPECT_EQ(Json::parse(ToJson(StatusOf(run, ReadFrom::kRunDirectory)))["source"], "run directory");
}

TEST(Rows, OfAnswersToRequests) {
  v1::SubmitReply submitted;
  submitted.set_run_id("r1");
  submitted.set_run_dir("/runs/r1");
  EXPECT_EQ(ToJson(RowOf(submitted, "quick")), "{\"id\":\"r1\",\"name\":\"quick\",\"run_dir\":\"/runs/r1\"}");
  v1::SaveReply saved;
  saved.set_step(5);
  saved.set_path("/c/step-5");
  EXPECT_EQ(ToJson(RowOf(saved)), "{\"step\":5,\"path\":\"/c/step-5\"}");
}

TEST(Rows, ACheckpointWithoutLineageSaysSo) {
  v1::CheckpointMessage checkpoint;
  checkpoint.set_step(5);
  checkpoint.set_samples(20);
  checkpoint.set_state(v1::CheckpointState::OK);
  checkpoint.set_path("/c/step-5");
  EXPECT_EQ(
      ToJson(RowsOf(checkpoint).value()),
      "[{\"step\":5,\"samples\":20,\"tokens\":null,\"bytes\":0,\"status\":\"OK\",\"path\":\"/c/step-5\","
      "\"sources\":null}]");
  EXPECT_EQ(ToJson(SourceRowsOf(checkpoint).value()),
            "[{\"step\":5,\"source\":\"not recorded\",\"fingerprint\":null,\"samples\":20,\"tokens\":null,"
            "\"share\":null,\"epochs\":null,\"position\":null,\"draws\":null}]");
  checkpoint.set_state(v1::CheckpointState::DAMAGED);
  checkpoint.set_fault("/c/step-5/manifest.json: is missing");
  EXPECT_EQ(Json::parse(ToJson(RowsOf(checkpoint).value()))[0]["status"],
            "/c/step-5/manifest.json: is missing");
  checkpoint.set_lineage("no");
  EXPECT_TRUE(absl::StrContains(RowsOf(checkpoint).status().message(), "/c/step-5"));
}

TEST(Rows, ToJsonKeepsOrderAndHasNoNaN) {
  const Row row = {{"b", std::numeric_limits<double>::quiet_NaN()}, {"a", Nested{"[1,2]", "1 2"}}, {"c", {}}};
  EXPECT_EQ(ToJson(row), "{\"b\":null,\"a\":[1,2],\"c\":null}");
  EXPECT_EQ(ToJson(std::vector<Row>{}, 2), "[]");
}

}  // namespace
}  // namespace galley::view
