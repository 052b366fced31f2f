#include "runtime/data/order/data_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/megatron/blend.h"
#include "runtime/data/megatron/index.h"
#include "runtime/data/order/galley_order.h"
#include "runtime/data/order/packing.h"
#include "runtime/data/store/dataset_info.h"

namespace galley::data {
namespace {

absl::Status EmptySplit(const PlannedSource& source, Split split, int64_t length) {
  const auto index = static_cast<size_t>(split);
  return absl::FailedPreconditionError(absl::StrCat(
      source.path, ".idx: the ", Name(split), " split holds ", source.sequences[index].size(),
      " sequences with ", source.stream[index].size(), " tokens, and one sample needs ", length + 1,
      "; give data.split a larger ", Name(split), " share, add text, or cut it into more documents",
      split == Split::kValid ? ", or turn the evaluation off" : ""));
}

// Megatron counts lengths and never looks where a sequence ends.
absl::Status StreamByLengths(const IndexedDataset& dataset, PlannedSource& source) {
  const SequenceLengths lengths(dataset.length_bytes());
  int64_t end = 0;
  for (size_t i = 0; i < source.sequences.size(); ++i) {
    const absl::StatusOr<int64_t> tokens = SumLengths(lengths, source.sequences[i]);
    if (!tokens.ok()) {
      return Annotate(tokens.status(), absl::StrCat(dataset.idx_path(), ": make the data set again"));
    }
    source.stream[i] = {end, end + *tokens};
    end += *tokens;
  }
  if (end <= dataset.tokens()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(dataset.idx_path(), ": the sequences hold ", end,
                                          " tokens and the .bin file ", dataset.tokens(),
                                          "; make the data set again"));
}

// Epochs of every source for what is asked of a split.
absl::Status PlanMegatronSplit(const DataConfig& config, Split split, DataPlan& plan) {
  const auto index = static_cast<size_t>(split);
  BlendCounts counts{.asked = {plan.samples[index]}};
  if (plan.blended) {
    std::vector<double> weights;
    for (const SourceConfig& source : config.train) weights.push_back(source.weight);
    const auto surplus = plan.version == kMegatron010 ? MegatronSurplus::kCore010 : MegatronSurplus::kCore014;
    counts = CountBlend(weights, plan.samples[index], surplus);
  }
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    PlannedSource& source = plan.sources[s];
    if (source.stream[index].size() == 0) return EmptySplit(source, split, plan.sequence_length);
    const absl::StatusOr<MegatronEpochs> epochs =
        PlanEpochs(source.stream[index].size(), counts.asked[s], plan.sequence_length);
    if (!epochs.ok()) return Annotate(epochs.status(), absl::StrCat(source.path, ": use order: galley"));
    source.epochs[index] = *epochs;
  }
  const int64_t held = plan.blended ? counts.size : plan.sources[0].epochs[index].samples;
  if (split != Split::kTrain || config.run_samples <= held) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("data.megatron.samples: asking for ", plan.samples[index],
                                                 " gives an order of ", held, " samples, and the run reads ",
                                                 config.run_samples, "; raise it, or shorten the run"));
}

absl::Status CheckConfig(const DataConfig& config) {
  DataPlan kind;
  kind.version = config.order;
  if (config.order != kOrderVersion && !kind.megatron() && !kind.packed() && !kind.dummy()) {
    return absl::InvalidArgumentError(absl::StrCat("data.order: ", config.order, " is not known"));
  }
  if (kind.megatron() && (config.seed < 0 || config.seed > UINT32_MAX)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data.seed: ", config.seed, " is none of numpy's; with order: megatron give 0 to ", UINT32_MAX));
  }
  if (config.train.empty() != kind.dummy()) {
    return absl::InvalidArgumentError(kind.dummy() ? "data.train: dummy data have no source"
                                                   : "data.train: no source; name at least one data set");
  }
  if (static_cast<int64_t>(config.train.size()) > kMaxSources) {
    return absl::InvalidArgumentError(absl::StrCat("data.train: ", config.train.size(), " sources, at most ",
                                                   kMaxSources, " are taken; merge some of the files"));
  }
  if (config.sequence_length < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("data: a sequence length of ", config.sequence_length, " is none; give at least 1"));
  }
  for (size_t i = 0; i < config.skip.size(); ++i) {
    const Range& range = config.skip[i];
    if (range.size() > 0 && range.begin >= (i == 0 ? 0 : config.skip[i - 1].begin)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "data.skip[", i, "]: samples ", range.begin, " to ", range.end,
        ", an empty range or one that begins before the range in front of it; list them in order"));
  }
  return absl::OkStatus();
}

// From samples of the run to samples of the order: each stretch moves on by the ones before it.
std::vector<Range> WholeRanges(const std::vector<Range>& skip) {
  std::vector<Range> whole;
  int64_t skipped = 0;
  for (const Range& range : skip) {
    if (!whole.empty() && whole.back().end == range.begin + skipped) {
      whole.back().end += range.size();
    } else {
      whole.push_back({range.begin + skipped, range.end + skipped});
    }
    skipped += range.size();
  }
  return whole;
}

// Threads that pack one source while the plan is made.
constexpr int kPackingThreads = 4;

absl::StatusOr<PlannedSource> PlanSource(const SourceConfig& config, const DataConfig& data,
                                         const DataPlan& plan) {
  ASSIGN_OR_RETURN(const IndexedDataset dataset, IndexedDataset::Open(config.path));
  if (dataset.type() == TokenType::kF32 || dataset.type() == TokenType::kF64) {
    return absl::InvalidArgumentError(absl::StrCat(dataset.idx_path(), ": offset 17: the items are ",
                                                   Name(dataset.type()),
                                                   ", which are not token ids; name a data set of tokens"));
  }
  ASSIGN_OR_RETURN(const std::optional<DatasetInfo> info, ReadDatasetInfo(config.path));
  if (info.has_value()) RETURN_IF_ERROR(CheckDatasetInfo(dataset, *info));
  PlannedSource source;
  source.path = config.path;
  source.weight = config.weight;
  source.tokens = dataset.tokens();
  ASSIGN_OR_RETURN(const uint64_t fingerprint, dataset.Fingerprint());
  source.fingerprint = Hex(fingerprint);
  ASSIGN_OR_RETURN(source.sequences, SplitRanges(data.split, dataset.sequences()));
  if (plan.megatron()) {
    RETURN_IF_ERROR(StreamByLengths(dataset, source));
    return source;
  }
  for (size_t i = 0; i < source.sequences.size(); ++i) {
    ASSIGN_OR_RETURN(source.stream[i].begin, dataset.TokenBegin(source.sequences[i].begin));
    ASSIGN_OR_RETURN(source.stream[i].end, dataset.TokenBegin(source.sequences[i].end));
    if (source.stream[i].size() < 0) {
      return absl::DataLossError(absl::StrCat(
          dataset.idx_path(), ": the sequences are out of order (sequence ", source.sequences[i].end,
          " lies before sequence ", source.sequences[i].begin, "); make the data set again"));
    }
    const bool read = i == 0 || (i == 1 && data.needs_valid);
    if (!plan.packed() || !read) continue;
    ASSIGN_OR_RETURN(const Packing packing,
                     Packing::Build(dataset, source.stream[i], data.sequence_length, kPackingThreads));
    source.bins[i] = packing.bins();
  }
  return source;
}

}  // namespace

absl::string_view Name(Split split) {
  constexpr absl::string_view kNames[] = {"train", "valid", "test"};
  return kNames[static_cast<size_t>(split)];
}

int64_t DataPlan::Windows(int64_t source, Split split) const {
  const PlannedSource& planned = sources[static_cast<size_t>(source)];
  if (megatron()) return planned.epochs[static_cast<size_t>(split)].samples;
  if (packed()) return planned.bins[static_cast<size_t>(split)];
  const int64_t tokens = planned.stream[static_cast<size_t>(split)].size();
  return tokens > sequence_length ? (tokens - 1) / sequence_length : 0;
}

int64_t DataPlan::Windows(Split split) const {
  int64_t windows = 0;
  for (int64_t s = 0; s < static_cast<int64_t>(sources.size()); ++s) windows += Windows(s, split);
  return windows;
}

absl::StatusOr<std::array<Range, 3>> SplitRanges(const std::vector<double>& split, int64_t n) {
  if (split.empty() || split.size() > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.split: ", split.size(), " shares; give one to three: train, valid, test"));
  }
  double sum = 0;
  for (const double share : split) {
    if (!(share >= 0) || !std::isfinite(share)) {
      return absl::InvalidArgumentError(
          absl::StrCat("data.split: share ", share, " must be a number from 0 up"));
    }
    sum += share;
  }
  if (!(sum > 0) || !std::isfinite(sum)) {
    return absl::InvalidArgumentError("data.split: the shares must have a positive, finite sum");
  }
  std::array<Range, 3> ranges;
  double before = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const double after = before + (i < split.size() ? split[i] / sum : 0);
    // nearbyint rounds half to even, as Python's round does. The last share may sum to a hair above 1.
    const auto at = [n](double end) {
      return std::min(n, static_cast<int64_t>(std::nearbyint(end * static_cast<double>(n))));
    };
    ranges[i] = {at(before), at(after)};
    before = after;
  }
  return ranges;
}

absl::StatusOr<DataPlan> BuildDataPlan(const DataConfig& config) {
  RETURN_IF_ERROR(CheckConfig(config));
  DataPlan plan;
  plan.version = config.order;
  plan.seed = config.seed;
  plan.sequence_length = config.sequence_length;
  plan.vocab = config.vocab;
  plan.skip = WholeRanges(config.skip);
  if (plan.dummy()) return plan;
  std::vector<double> weights;
  for (const SourceConfig& source : config.train) weights.push_back(source.weight);
  ASSIGN_OR_RETURN(const std::vector<int64_t> shares, SharesOf(weights));
  for (const SourceConfig& source : config.train) {
    ASSIGN_OR_RETURN(PlannedSource planned, PlanSource(source, config, plan));
    plan.sources.push_back(std::move(planned));
  }
  if (plan.megatron()) {
    plan.samples = {config.train_samples, config.valid_samples, 0};
    plan.blended = plan.sources.size() > 1 || config.blend_one_source;
  } else {
    plan.period = std::accumulate(shares.begin(), shares.end(), int64_t{0});
    for (size_t s = 0; s < shares.size(); ++s) plan.sources[s].share = shares[s];
  }
  for (const Split split : {Split::kTrain, Split::kValid}) {
    if (split == Split::kValid && !config.needs_valid) continue;
    if (plan.megatron()) {
      RETURN_IF_ERROR(PlanMegatronSplit(config, split, plan));
      continue;
    }
    for (size_t s = 0; s < plan.sources.size(); ++s) {
      if (plan.Windows(static_cast<int64_t>(s), split) > 0) continue;
      return EmptySplit(plan.sources[s], split, plan.sequence_length);
    }
  }
  return plan;
}

}  // namespace galley::data
