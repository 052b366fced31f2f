// A run directory, a controller, and orders for two ranks of fake-rank.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "runtime/base/file.h"
#include "service/node/fake_controller.h"
#include "tests/support/paths.h"

namespace galley::service {

inline v1::Exporter ExporterOf(v1::ExporterKind::Value kind, const std::string& listen = "") {
  v1::Exporter exporter;
  exporter.set_kind(kind);
  exporter.set_listen(listen);
  return exporter;
}

// As a version before EnsureAttempt.common writes it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
inline void ToOlderVersion(v1::EnsureAttempt& ensure) {
  for (const v1::RankPart& part : ensure.ranks()) {
    v1::Start& start = *ensure.add_starts() = ensure.common();
    start.set_run_id(ensure.run_id());
    start.set_attempt(ensure.attempt());
    start.set_rank(part.rank());
  }
  ensure.set_exporters_json(R"([{"kind": "jsonl"}])");
  ensure.clear_common();
  ensure.clear_ranks();
  ensure.clear_exporters();
}
#pragma GCC diagnostic pop

class NodeEnv : public ::testing::Test {
 protected:
  NodeEnv() : run_dir_(JoinPath(dir_.path(), "run")), state_dir_(JoinPath(dir_.path(), "state")) {
    EXPECT_TRUE(MakeDirs(run_dir_).ok());
    StartController();
  }
  void StartController(bool acknowledge = true) {
    controller_.reset();
    controller_ = std::make_unique<FakeController>(address(), acknowledge);
  }
  std::string address() const { return absl::StrCat("unix:", dir_.path(), "/c.sock"); }
  static std::string FakeRank() { return JoinPath(BinDir(), "fake-rank"); }

  void Script(const std::string& json) {
    ASSERT_TRUE(AtomicWrite(JoinPath(run_dir_, "fake_rank.json"), json).ok());
  }
  // Lets ranks that do "wait" go on.
  void Go() { ASSERT_TRUE(AtomicWrite(JoinPath(run_dir_, "go"), "").ok()); }

  // What ranks write, with nobody to tell of it.
  static bool AwaitFile(const std::string& path) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!FileExists(path) && absl::Now() < deadline) std::this_thread::yield();
    return FileExists(path);
  }

  v1::NodeOrder Ensure(int64_t attempt = 1, int world = 2) const {
    v1::NodeOrder order;
    v1::EnsureAttempt* ensure = order.mutable_ensure();
    ensure->set_run_id("run-1");
    ensure->set_run_name("fake");
    ensure->set_run_dir(run_dir_);
    ensure->set_attempt(attempt);
    ensure->set_hang_seconds(hang_seconds_);
    for (const v1::Exporter& exporter : exporters_) *ensure->add_exporters() = exporter;
    ensure->mutable_common()->set_world(world);
    ensure->mutable_common()->set_threads(1);
    for (int rank = 0; rank < world; ++rank) ensure->add_ranks()->set_rank(rank);
    return order;
  }
  static v1::NodeOrder Stopped(int64_t attempt) {
    v1::NodeOrder order;
    order.mutable_stopped()->set_run_id("run-1");
    order.mutable_stopped()->set_attempt(attempt);
    order.mutable_stopped()->set_reason("a test");
    return order;
  }
  static v1::NodeOrder ToRanks(const v1::Order& what, int64_t attempt = 1, int rank = -1) {
    v1::NodeOrder order;
    order.mutable_rank_order()->set_run_id("run-1");
    order.mutable_rank_order()->set_attempt(attempt);
    order.mutable_rank_order()->set_rank(rank);
    *order.mutable_rank_order()->mutable_order() = what;
    return order;
  }

  // "attempt/step" of each line of metrics.jsonl.
  std::vector<std::string> Steps() const {
    std::vector<std::string> out;
    absl::StatusOr<std::string> text = ReadFile(JoinPath(run_dir_, "metrics.jsonl"));
    if (!text.ok()) return out;
    for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
      const auto json = nlohmann::json::parse(line.begin(), line.end());
      out.push_back(absl::StrCat(json["attempt"].get<int64_t>(), "/", json["step"].get<int64_t>()));
    }
    return out;
  }
  static std::vector<std::string> Range(int64_t attempt, int64_t from, int64_t to) {
    std::vector<std::string> out;
    for (int64_t step = from; step <= to; ++step) out.push_back(absl::StrCat(attempt, "/", step));
    return out;
  }
  std::string Log(int64_t attempt, int rank) const {
    auto text = ReadFile(JoinPath(run_dir_, absl::StrCat("logs/attempt-", attempt, ".rank-", rank, ".log")));
    return text.ok() ? *text : "";
  }

  TempDir dir_;
  const std::string run_dir_, state_dir_;
  int64_t hang_seconds_ = 60;
  std::vector<v1::Exporter> exporters_ = {ExporterOf(v1::ExporterKind::JSONL)};
  std::unique_ptr<FakeController> controller_;
};

}  // namespace galley::service
