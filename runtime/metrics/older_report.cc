#include "runtime/metrics/older_report.h"

// The fields are marked so that nothing else reads them.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace galley::metrics {

StepRecord FromOlderReport(const v1::StepReport& report) {
  StepRecord record;
  if (report.step() == 0) return record;
  record.Set<"step">(report.step());
  record.Set<"attempt">(report.attempt());
  record.Set<"samples">(report.samples());
  record.Set<"tokens">(report.tokens());
  record.Set<"samples_hash">(report.samples_hash());
  record.Set<"loss">(report.loss());
  record.Set<"lr">(report.lr());
  record.Set<"grad_norm">(report.grad_norm());
  record.Set<"global_batch">(report.global_batch());
  if (report.samples() > 0) {  // not told; every sample has the same length
    record.Set<"global_batch_tokens">(report.global_batch() * (report.tokens() / report.samples()));
  }
  record.Set<"step_seconds">(report.step_seconds());
  record.Set<"data_seconds">(report.data_seconds());
  record.Set<"tokens_per_second">(report.tokens_per_second());
  if (report.has_mfu()) record.Set<"mfu">(report.mfu());
  if (report.has_validation_loss()) record.Set<"validation_loss">(report.validation_loss());
  for (const v1::SetLoss& set : report.validation_sets())
    record.Set<"validation_sets">(set.set(), set.loss());
  if (report.has_checkpoint_stall_seconds()) {
    record.Set<"checkpoint_stall_seconds">(report.checkpoint_stall_seconds());
  }
  return record;
}

}  // namespace galley::metrics
