#include "runtime/train/loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/metrics/report.h"
#include "runtime/train/outcome.h"

namespace galley::train {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// How long rank 0 waits for the shards of all ranks at the end. An Abort ends the wait when
// a rank is lost meanwhile.
constexpr absl::Duration kDrainTimeout = absl::Minutes(30);

// Values of kFailFlag. Ranks agree on the maximum, so the worst of any rank ends all.
enum FailureVote : int64_t { kNoFailure = 0, kStorageFull = 1, kCannotSave = 2 };

int64_t FailureVoteOf(const absl::Status& failure) {
  if (failure.ok()) return kNoFailure;
  return absl::IsResourceExhausted(failure) ? kStorageFull : kCannotSave;
}

class Loop {
 public:
  Loop(const LoopParts& parts, RunState state) : parts_(parts), plan_(parts.plan), state_(std::move(state)) {}

  v1::Finished Run() {
    while (state_.step < plan_.total_steps) {
      parts_.client.SetProgress(v1::Phase::TRAIN, state_.step);
      auto began = SteadyClock::now();
      double waited = parts_.batches.WaitedSeconds();
      std::array<int64_t, kFlagCount> flags = {parts_.orders.stop(), parts_.orders.saves(),
                                               FailureVoteOf(parts_.saver.Failure())};
      metrics::StepRecord record;
      auto result = Step(flags, record);
      // From here on every rank takes the same branches: they decide by the plan and by the flags that
      // the step has made equal, never by what one alone knows, or one would wait in a collective that
      // the others do not enter.
      if (!result.ok()) return Failed(result.status());
      if (!result->updated) return NotFinite(*result);
      record.Set<"data_seconds">(parts_.batches.WaitedSeconds() - waited);
      if (flags[kFailFlag] != kNoFailure) return CannotSave(flags[kFailFlag]);
      if (absl::Status status = Evaluate(record); !status.ok()) return Failed(status);
      bool last = state_.step == plan_.total_steps;
      bool stop = flags[kStopFlag] != kContinue;
      if (plan_.checkpoints.IsSaveStep(state_.step) || flags[kStopFlag] == kStopSaved ||
          flags[kSaveFlag] > saves_done_) {
        Save(flags[kSaveFlag], record);
      }
      Send(record, SecondsSince(began));
      if (last || stop) return End(stop && !last);
    }
    return End(false);  // a run that is already complete
  }

 private:
  absl::StatusOr<StepResult> Step(std::span<int64_t> flags, metrics::StepRecord& record) {
    int64_t consumed = state_.samples;
    int64_t global = plan_.batch.GlobalBatchAt(consumed);
    double lr = plan_.learning_rate.LrAt(consumed);
    auto next = [this](int64_t) { return parts_.batches.Next(); };
    ASSIGN_OR_RETURN(
        StepResult result,
        parts_.stepper.Run({.micro_batches = plan_.batch.MicroBatchesAt(consumed, plan_.mesh.data),
                            .lr = lr,
                            .next = next,
                            .flags = flags}));
    if (!result.updated) return result;
    state_.step += 1;
    state_.samples += global;
    state_.optimizer_step = parts_.stepper.optimizer_step();
    record.Set<"step">(state_.step);
    record.Set<"attempt">(parts_.attempt);
    record.Set<"samples">(state_.samples);
    record.Set<"tokens">(state_.samples * plan_.batch.context());
    record.Set<"samples_hash">(parts_.batches.SamplesHash(consumed, global));
    record.Set<"loss">(result.loss);
    record.Set<"lr">(lr);
    record.Set<"grad_norm">(result.grad_norm);
    record.Set<"global_batch">(global);
    record.Set<"global_batch_tokens">(global * plan_.batch.context());
    return result;
  }

  // A fixed prefix of every validation set; no training state moves.
  absl::Status Evaluate(metrics::StepRecord& record) {
    if (!plan_.evaluation.IsEvaluationStep(state_.step)) return absl::OkStatus();
    int64_t item = 0;
    for (ValidationSet& set : parts_.validation) {
      set.samples->Begin();
      set.batches->AskAhead();
      auto next = [&](int64_t) {
        parts_.client.SetProgress(v1::Phase::EVALUATE, state_.step, item++);
        return set.batches->Next();
      };
      ASSIGN_OR_RETURN(double loss, parts_.stepper.Evaluate(set.samples->micro_batches(), next));
      // The first set's is the run's own validation loss.
      if (!record.Get<"validation_loss">()) record.Set<"validation_loss">(loss);
      if (!set.name.empty()) record.Set<"validation_sets">(set.name, loss);
    }
    return absl::OkStatus();
  }

  void Save(int64_t save_orders, metrics::StepRecord& record) {
    parts_.client.SetProgress(v1::Phase::SAVE, state_.step);
    auto began = SteadyClock::now();
    // All orders that any rank had seen by the step are answered by this one save.
    saves_done_ = std::max(saves_done_, save_orders);
    checkpoint::ManifestInfo info = ToManifest(state_, parts_.attempt, parts_.origin);
    if (parts_.rank == 0) {  // whose manifest it is
      AddLineage(parts_.data.LineageAfter(parts_.batches.order(), state_.samples), info);
    }
    absl::Status status = parts_.saver.Begin(parts_.stepper.stream(), info, parts_.orders.TakeSaveRequests());
    if (!status.ok()) LogError("snapshot of step ", state_.step, ": ", status.message());
    record.Set<"checkpoint_stall_seconds">(SecondsSince(began));
  }

  void Send(metrics::StepRecord& record, double seconds) {
    const double speed = static_cast<double>(record.Get<"global_batch_tokens">().value_or(0)) / seconds;
    record.Set<"step_seconds">(seconds);
    record.Set<"tokens_per_second">(speed);
    if (auto peak = plan_.inventory.PeakFor(plan_.compute); peak.has_value()) {
      record.Set<"mfu">(plan_.card.flops_per_token.total() * speed /
                        (*peak * static_cast<double>(plan_.mesh.world())));
    }
    parts_.client.SetProgress(v1::Phase::TRAIN, state_.step);
    if (parts_.rank != 0) return;  // the numbers are the same on every rank
    v1::Report report;
    *report.mutable_step() = metrics::ToReport(record);
    parts_.client.Send(std::move(report));
  }

  v1::Finished End(bool stopped) {
    parts_.client.SetProgress(v1::Phase::SAVE, state_.step);
    absl::Status status = parts_.saver.Drain(kDrainTimeout);
    if (parts_.orders.aborted()) return Failed(absl::AbortedError(parts_.orders.abort_reason()));
    if (!status.ok()) return FinishFailed(status, state_.step);
    if (stopped) return Finish(v1::Finished::STOPPED, state_.step, parts_.orders.stop_reason());
    return Finish(v1::Finished::COMPLETED, state_.step, "");
  }

  v1::Finished Failed(const absl::Status& status) {
    if (parts_.orders.aborted()) {
      return Finish(v1::Finished::PEER_LOST, state_.step, parts_.orders.abort_reason());
    }
    return FinishFailed(status, state_.step);
  }

  v1::Finished NotFinite(const StepResult& result) {
    return Finish(
        v1::Finished::NUMERIC, state_.step + 1,
        absl::StrCat("step ", state_.step + 1, ": loss ", result.loss, ", gradient norm ", result.grad_norm,
                     ": not finite, nothing was updated; lower schedule.lr.peak, or resume from an older "
                     "checkpoint"));
  }

  v1::Finished CannotSave(int64_t vote) {
    absl::Status own = parts_.saver.Failure();
    std::string message = own.ok() ? "another rank can not save; see its log" : std::string(own.message());
    return Finish(vote == kStorageFull ? v1::Finished::STORAGE_FULL : v1::Finished::INTERNAL, state_.step,
                  message);
  }

  const LoopParts& parts_;
  const plan::Plan& plan_;
  RunState state_;
  int64_t saves_done_ = 0;  // Save orders answered
};

}  // namespace

v1::Finished RunLoop(const LoopParts& parts, RunState state) { return Loop(parts, std::move(state)).Run(); }

}  // namespace galley::train
