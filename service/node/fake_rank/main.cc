// A rank without an engine, for tests of the service: it speaks the link like galley-rank and "trains" by
// counting. What it does is in <run_dir>/fake_rank.json, all keys optional:
//
//   {"steps": 10,         last step
//    "step_ms": 2,        time of a step
//    "save_every": 5,     a checkpoint at these steps and at the last; 0: only the last
//    "evaluate_every": 0, steps with a validation loss
//    "actions": [{"attempt": 1, "rank": 1, "step": 3, "do": "kill"}]}
//
// An action happens before its step is taken (step 0: before Ready), on the attempt and rank if named:
//   kill: SIGKILL. stop: SIGSTOP. exit:N: exit status N without a word. nan: Finished NUMERIC. config:
//   Finished CONFIG. hang: no more progress, heartbeats go on. deaf: ignores Abort and Stop from then on.
//   wait: until the file <run_dir>/go exists. notice: a Notice REPORTS_DROPPED.
//
// A checkpoint is <checkpoint_dir>/step-N with one number in it; it commits when rank 0 has heard of a shard
// of every rank. Loss at step s is 6 / (1 + s) + 1.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/link/client.h"
#include "runtime/metrics/report.h"

namespace galley {
namespace {

struct Flags {
  std::string run, run_dir, socket;
  int rank = -1;
};

class FakeRank {
 public:
  FakeRank(const Flags& flags, link::Client& client) : flags_(flags), client_(client) {
    if (auto text = ReadFile(JoinPath(flags.run_dir, "fake_rank.json")); text.ok()) {
      script_ = nlohmann::json::parse(*text);
    }
  }

  int Run() {
    client_.SetProgress(v1::Phase::WAIT, 0);
    auto order = client_.WaitOrder(absl::Minutes(5));
    if (!order.has_value() || !order->has_start()) return Leave(v1::Finished::INTERNAL, "no start");
    start_ = order->start();
    printf("run %s attempt %d rank %d of %d\n", flags_.run.c_str(), static_cast<int>(start_.attempt()),
           start_.rank(), start_.world());
    fflush(stdout);
    Act(0);
    if (leaving_) return code_;
    v1::Report ready;
    ready.mutable_ready()->set_address(absl::StrCat("address of ", flags_.rank));
    client_.Send(ready);
    while (!peers_) {
      if (!Turn(absl::Minutes(5))) return code_;
    }
    if (!start_.restore_path().empty()) {
      const size_t dash = start_.restore_path().rfind("step-");
      step_ = std::atoll(start_.restore_path().c_str() + dash + 5);
    }
    v1::Report training;
    training.mutable_training()->set_step(step_);
    client_.Send(training);
    return Train();
  }

 private:
  int64_t Value(const char* key, int64_t fallback) const { return script_.value(key, fallback); }

  int Train() {
    const int64_t last = Value("steps", 10), every = Value("save_every", 0);
    client_.SetProgress(v1::Phase::TRAIN, step_);
    while (step_ < last) {
      Act(step_ + 1);
      if (leaving_) return code_;
      if (!Turn(absl::Milliseconds(Value("step_ms", 2)))) return code_;
      ++step_;
      client_.SetProgress(v1::Phase::TRAIN, step_);
      if (flags_.rank == 0) SendStep();
      const bool stop = stop_.has_value();
      if (step_ == last || (every > 0 && step_ % every == 0)) {
        if (!Save(start_.world())) return code_;
      } else if ((stop && stop_->save()) || save_) {
        if (flags_.rank == 0 && !Save(1)) return code_;
      }
      if (stop && step_ < last) return Leave(v1::Finished::STOPPED, stop_->reason());
    }
    return Leave(v1::Finished::COMPLETED, "");
  }

  void SendStep() {
    const double loss = 6.0 / static_cast<double>(1 + step_) + 1;
    metrics::StepRecord step;
    step.Set<"step">(step_);
    step.Set<"attempt">(start_.attempt());
    step.Set<"samples">(16 * step_);
    step.Set<"tokens">(4096 * step_);
    step.Set<"samples_hash">(static_cast<uint64_t>(step_) * 0x9e3779b97f4a7c15);
    step.Set<"loss">(loss);
    step.Set<"lr">(1e-3);
    step.Set<"grad_norm">(1.0);
    step.Set<"global_batch">(int64_t{16});
    step.Set<"global_batch_tokens">(int64_t{4096});
    step.Set<"step_seconds">(static_cast<double>(Value("step_ms", 2)) / 1e3);
    step.Set<"data_seconds">(0.0);
    step.Set<"tokens_per_second">(4096e3 / static_cast<double>(Value("step_ms", 2)));
    const int64_t evaluate = Value("evaluate_every", 0);
    if (evaluate > 0 && step_ % evaluate == 0) step.Set<"validation_loss">(loss + 0.5);
    v1::Report report;
    *report.mutable_step() = metrics::ToReport(step);
    client_.Send(report);
  }

  // Reports a shard; rank 0 then waits for `shards` of this step and commits.
  bool Save(int shards) {
    v1::Report report;
    report.mutable_shard()->set_step(step_);
    report.mutable_shard()->set_rank(flags_.rank);
    report.mutable_shard()->set_file(absl::StrCat("shard-", flags_.rank));
    client_.Send(report);
    if (flags_.rank != 0) return true;
    while (shards_[step_] < shards) {
      if (!Turn(absl::Minutes(5))) return false;
    }
    const std::string base =
        start_.checkpoint_dir().empty() ? JoinPath(flags_.run_dir, "checkpoints") : start_.checkpoint_dir();
    const std::string path = JoinPath(base, absl::StrCat("step-", step_));
    if (absl::Status written = WriteCheckpoint(base); !written.ok()) {
      Leave(v1::Finished::STORAGE_FULL, std::string(written.message()));
      return false;
    }
    v1::Report committed;
    committed.mutable_checkpoint()->set_step(step_);
    committed.mutable_checkpoint()->set_path(path);
    committed.mutable_checkpoint()->set_bytes(5);
    if (save_) committed.mutable_checkpoint()->set_request_id(request_id_);
    save_ = false;
    client_.Send(committed);
    return true;
  }

  // A real one, of one small tensor, so that the service finds and verifies it like any other.
  absl::Status WriteCheckpoint(const std::string& directory) {
    RETURN_IF_ERROR(MakeDirs(directory));
    ASSIGN_OR_RETURN(auto writer, checkpoint::Writer::Create(directory, 0, 1, sizeof(float)));
    float value = static_cast<float>(step_);
    const checkpoint::Item item = checkpoint::Item::Whole("fake", View(&value, DType::kF32, {1}));
    std::vector<checkpoint::ShardReport> shards;
    Stream stream = MakeStream(Device(), 1);
    RETURN_IF_ERROR(writer->Snapshot(stream, step_, start_.attempt(), {item},
                                     [&](checkpoint::ShardReport shard) { shards.push_back(shard); }));
    writer->Wait();
    checkpoint::ManifestInfo info;
    info.step = step_;
    info.attempt = start_.attempt();
    info.state = {{"samples", checkpoint::Fact(16 * step_)}, {"tokens", checkpoint::Fact(4096 * step_)}};
    return checkpoint::Commit(directory, info, shards);
  }

  // Takes at most one order. False: the rank leaves.
  bool Turn(absl::Duration timeout) {
    auto order = client_.WaitOrder(timeout);
    if (!order.has_value()) return true;
    if (order->has_peers()) {
      peers_ = order->peers().addresses_size() == start_.world();
    } else if (order->has_shard()) {
      ++shards_[order->shard().step()];
    } else if (order->has_save()) {
      save_ = true;
      request_id_ = order->save().request_id();
    } else if (order->has_stop() && !deaf_) {
      stop_ = order->stop();
      if (!peers_) {
        Leave(v1::Finished::STOPPED, stop_->reason());
        return false;
      }
    } else if (order->has_abort() && !deaf_) {
      Leave(v1::Finished::PEER_LOST, order->abort().reason());
      return false;
    }
    return true;
  }

  int Leave(v1::Finished::Outcome outcome, const std::string& message) {
    leaving_ = true;
    v1::Report report;
    report.mutable_finished()->set_outcome(outcome);
    report.mutable_finished()->set_step(step_);
    report.mutable_finished()->set_message(message);
    client_.Send(report);
    client_.Flush(absl::Seconds(5));
    code_ = outcome == v1::Finished::COMPLETED || outcome == v1::Finished::STOPPED ? 0 : 1;
    return code_;
  }

  void Act(int64_t step) {
    for (const auto& action : script_.value("actions", nlohmann::json::array())) {
      if (action.value("step", int64_t{-1}) != step) continue;
      if (action.value("rank", flags_.rank) != flags_.rank) continue;
      if (action.value("attempt", start_.attempt()) != start_.attempt()) continue;
      Do(action.value("do", std::string()));
    }
  }

  void Do(const std::string& what) {
    if (what == "kill") ::raise(SIGKILL);
    if (what == "stop") ::raise(SIGSTOP);
    if (what == "deaf") deaf_ = true;
    if (what == "nan") Leave(v1::Finished::NUMERIC, "loss is nan");
    if (what == "config") Leave(v1::Finished::CONFIG, "the data is missing");
    if (what == "hang") {
      while (deaf_ || Turn(absl::Minutes(1))) {
        if (deaf_) ::pause();
      }
    }
    if (what == "wait") {
      while (!leaving_ && !FileExists(JoinPath(flags_.run_dir, "go"))) {
        if (!Turn(absl::Milliseconds(5))) return;
        client_.SetProgress(v1::Phase::TRAIN, step_, ++waited_);
      }
    }
    if (what == "notice") {
      v1::Report report;
      report.mutable_notice()->set_kind(v1::NoticeKind::REPORTS_DROPPED);
      report.mutable_notice()->set_message(absl::StrCat("step ", step_));
      client_.Send(report);
    }
    if (absl::StartsWith(what, "exit:")) {
      fprintf(stderr, "rank %d exits as told\n", flags_.rank);
      ::_exit(std::atoi(what.c_str() + 5));
    }
  }

  const Flags flags_;
  link::Client& client_;
  nlohmann::json script_ = nlohmann::json::object();
  v1::Start start_;
  int64_t step_ = 0, waited_ = 0;
  bool peers_ = false, save_ = false, deaf_ = false, leaving_ = false;
  std::string request_id_;
  std::optional<v1::Stop> stop_;
  std::map<int64_t, int> shards_;  // by step
  int code_ = 0;
};

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  galley::Flags flags;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--run") flags.run = argv[i + 1];
    if (flag == "--run-dir") flags.run_dir = argv[i + 1];
    if (flag == "--socket") flags.socket = argv[i + 1];
    if (flag == "--rank") flags.rank = std::atoi(argv[i + 1]);
  }
  if (flags.rank < 0 || flags.socket.empty()) {
    fprintf(stderr, "usage: fake-rank --run NAME --run-dir DIR --rank R --socket PATH\n");
    return 2;
  }
  galley::v1::Hello hello;
  hello.set_rank(flags.rank);
  galley::link::ClientOptions options;
  options.last_retry = absl::Milliseconds(100);
  auto client = galley::link::Client::Connect(flags.socket, hello, options);
  return galley::FakeRank(flags, *client).Run();
}
