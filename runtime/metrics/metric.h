// The metrics of an optimizer step, an entry each. A rank's report, the record of a step, metrics.jsonl,
// Prometheus, `trainctl status` and docs/metrics.md are all read from this table; a new metric is an entry
// here and the Set of its source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "absl/strings/string_view.h"

namespace galley::metrics {

enum class Kind {
  kCount,      // int64_t
  kHash,       // uint64_t; in JSON 16 hexadecimal digits, since a JSON number could not hold it
  kReal,       // double
  kRealBySet,  // double of each named validation set
};

// How long a value is true.
enum class Stays { kItsStep, kUntilTheNext };

// In which lines of metrics.jsonl the key stands. Those of some lines come after those of every line.
enum class InJsonl { kNone, kEveryLine, kWhenMeasured };  // not measured in every line: null

struct Metric {
  uint32_t id;  // in a report; never given to another metric
  Kind kind;
  const char* name;
  const char* unit = "";
  const char* help;
  Stays stays = Stays::kItsStep;
  InJsonl jsonl = InJsonl::kEveryLine;  // under `name`
  const char* gauge = nullptr;          // Prometheus series of its last value
  const char* node_gauge = nullptr;     // the same with the label `node`
  const char* counter = nullptr;        // of its sum
  const char* counter_help = nullptr;
  const char* histogram = nullptr;
  const char* status = nullptr;  // heading in `trainctl status`, whose JSON has it under `name`
  bool status_wide = false;      // with -o wide only
  const char* list = nullptr;    // heading in `trainctl list`, of one that `status` names
  bool list_wide = false;
};

using enum Kind;
using enum Stays;
using enum InJsonl;
inline constexpr Metric kMetrics[] = {
    {.id = 1,
     .kind = kCount,
     .name = "step",
     .help = "Last finished optimizer step.",
     .gauge = "galley_run_step"},
    {.id = 2,
     .kind = kCount,
     .name = "attempt",
     .help = "Attempt that trains.",
     .gauge = "galley_run_attempt"},
    {.id = 3,
     .kind = kCount,
     .name = "samples",
     .help = "Samples consumed; goes back after a recovery.",
     .gauge = "galley_run_samples",
     .status = "Samples",
     .status_wide = true},
    {.id = 4,
     .kind = kCount,
     .name = "tokens",
     .help = "Tokens consumed; goes back after a recovery.",
     .gauge = "galley_run_tokens",
     .status = "Tokens",
     .status_wide = true},
    {.id = 5,
     .kind = kHash,
     .name = "samples_hash",
     .help = "XXH3-64 of the ids of the step's samples, in order."},
    {.id = 6,
     .kind = kReal,
     .name = "loss",
     .unit = "nats",
     .help = "Mean training loss of the last step, nats.",
     .gauge = "galley_run_loss",
     .status = "Loss",
     .list = "LOSS"},
    {.id = 7,
     .kind = kReal,
     .name = "validation_loss",
     .unit = "nats",
     .help = "Validation loss of the last evaluation, nats.",
     .stays = kUntilTheNext,
     .jsonl = kWhenMeasured,
     .gauge = "galley_run_validation_loss",
     .status = "Validation loss",
     .list = "VAL LOSS"},
    {.id = 8,
     .kind = kRealBySet,
     .name = "validation_sets",
     .unit = "nats",
     .help = "Loss of a named validation set at the last evaluation, nats.",
     .stays = kUntilTheNext,
     .jsonl = kWhenMeasured,
     .gauge = "galley_run_validation_set_loss"},
    {.id = 9,
     .kind = kReal,
     .name = "lr",
     .help = "Learning rate of the last step.",
     .gauge = "galley_run_learning_rate"},
    {.id = 10,
     .kind = kReal,
     .name = "grad_norm",
     .help = "Gradient norm of the last step before clipping.",
     .gauge = "galley_run_grad_norm"},
    {.id = 11, .kind = kCount, .name = "global_batch", .unit = "samples", .help = "Samples of the step."},
    {.id = 12,
     .kind = kCount,
     .name = "global_batch_tokens",
     .unit = "tokens",
     .help = "Tokens of the last step.",
     .jsonl = InJsonl::kNone,
     .gauge = "galley_run_global_batch_tokens",
     .counter = "galley_run_tokens_processed_total",
     .counter_help = "Tokens trained on, with those trained again after a recovery."},
    {.id = 13,
     .kind = kReal,
     .name = "step_seconds",
     .unit = "s",
     .help = "Duration of optimizer steps.",
     .histogram = "galley_run_step_duration_seconds"},
    {.id = 14,
     .kind = kReal,
     .name = "data_seconds",
     .unit = "s",
     .help = "Time of the last step spent waiting for data.",
     .node_gauge = "galley_node_data_wait_seconds"},
    {.id = 15,
     .kind = kReal,
     .name = "tokens_per_second",
     .unit = "tokens/s",
     .help = "Tokens per second of the last step.",
     .gauge = "galley_run_tokens_per_second",
     .status = "Tokens/s",
     .list = "TOK/S",
     .list_wide = true},
    {.id = 16,
     .kind = kReal,
     .name = "mfu",
     .unit = "0 to 1",
     .help = "Model FLOP/s over the peak of the machine; absent when the peak is not known.",
     .gauge = "galley_run_mfu_ratio",
     .status = "MFU",
     .list = "MFU",
     .list_wide = true},
    {.id = 17,
     .kind = kReal,
     .name = "checkpoint_stall_seconds",
     .unit = "s",
     .help = "Time the last checkpoint held up its step.",
     .stays = kUntilTheNext,
     .jsonl = InJsonl::kNone,
     .gauge = "galley_checkpoint_stall_seconds"},
};
inline constexpr size_t kMetricCount = std::size(kMetrics);

// By character: with UBSan, GCC 12 takes no string_view of a literal for a constant.
constexpr bool IsNamed(const Metric& metric, absl::string_view name) {
  const char* at = metric.name;
  for (const char c : name) {
    if (*at == '\0' || *at != c) return false;
    ++at;
  }
  return *at == '\0';
}

// Position in kMetrics; kMetricCount when there is none.
constexpr size_t IndexOf(absl::string_view name) {
  size_t i = 0;
  while (i < kMetricCount && !IsNamed(kMetrics[i], name)) ++i;
  return i;
}
constexpr size_t IndexOfId(uint32_t id) {
  size_t i = 0;
  while (i < kMetricCount && kMetrics[i].id != id) ++i;
  return i;
}

constexpr size_t LengthOf(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

constexpr bool NamesAndIdsAreUnique() {
  for (size_t i = 0; i < kMetricCount; ++i) {
    const char* name = kMetrics[i].name;
    if (IndexOf({name, LengthOf(name)}) != i || IndexOfId(kMetrics[i].id) != i || kMetrics[i].id == 0) {
      return false;
    }
  }
  return true;
}
static_assert(NamesAndIdsAreUnique());

constexpr bool StatusNamesWhatListDoes() {
  for (const Metric& metric : kMetrics) {
    if (metric.list != nullptr && metric.status == nullptr) return false;
  }
  return true;
}
static_assert(StatusNamesWhatListDoes());

// The table of docs/metrics.md, in Markdown.
std::string MarkdownTable();

}  // namespace galley::metrics
