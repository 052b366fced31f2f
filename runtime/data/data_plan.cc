#include "runtime/data/data_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/dataset_info.h"
#include "runtime/data/order.h"

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

absl::StatusOr<PlannedSource> PlanSource(const SourceConfig& config, const std::vector<double>& split) {
  ASSIGN_OR_RETURN(const IndexedDataset dataset, IndexedDataset::Open(config.path));
  if (dataset.type() == TokenType::kF32 || dataset.type() == TokenType::kF64) {
    return absl::InvalidArgumentError(absl::StrCat(dataset.idx_path(), ": offset 17: the items are ",
                                                   Name(dataset.type()),
                                                   ", which are no token ids; name a data set of tokens"));
  }
  ASSIGN_OR_RETURN(const std::optional<DatasetInfo> info, ReadDatasetInfo(config.path));
  if (info.has_value()) RETURN_IF_ERROR(CheckDatasetInfo(dataset, *info));
  PlannedSource source;
  source.path = config.path;
  source.weight = config.weight;
  source.tokens = dataset.tokens();
  ASSIGN_OR_RETURN(const uint64_t fingerprint, dataset.Fingerprint());
  source.fingerprint = Hex(fingerprint);
  ASSIGN_OR_RETURN(source.sequences, SplitRanges(split, dataset.sequences()));
  for (size_t i = 0; i < source.sequences.size(); ++i) {
    ASSIGN_OR_RETURN(source.stream[i].begin, dataset.TokenBegin(source.sequences[i].begin));
    ASSIGN_OR_RETURN(source.stream[i].end, dataset.TokenBegin(source.sequences[i].end));
    if (source.stream[i].size() < 0) {
      return absl::DataLossError(absl::StrCat(
          dataset.idx_path(), ": the sequences are out of order (sequence ", source.sequences[i].end,
          " lies before sequence ", source.sequences[i].begin, "); make the data set again"));
    }
  }
  return source;
}

}  // namespace

absl::string_view Name(Split split) {
  constexpr absl::string_view kNames[] = {"train", "valid", "test"};
  return kNames[static_cast<size_t>(split)];
}

int64_t DataPlan::Windows(int64_t source, Split split) const {
  const int64_t tokens = sources[static_cast<size_t>(source)].stream[static_cast<size_t>(split)].size();
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
  if (config.train.empty()) {
    return absl::InvalidArgumentError("data.train: no source; name at least one data set");
  }
  if (static_cast<int64_t>(config.train.size()) > kMaxSources) {
    return absl::InvalidArgumentError(absl::StrCat("data.train: ", config.train.size(), " sources, at most ",
                                                   kMaxSources, " are taken; merge some of the files"));
  }
  if (config.sequence_length < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("data: a sequence length of ", config.sequence_length, " is none; give at least 1"));
  }
  DataPlan plan;
  plan.seed = config.seed;
  plan.sequence_length = config.sequence_length;
  plan.vocab = config.vocab;
  std::vector<double> weights;
  for (const SourceConfig& source : config.train) weights.push_back(source.weight);
  ASSIGN_OR_RETURN(const std::vector<int64_t> shares, SharesOf(weights));
  plan.period = 0;
  for (size_t s = 0; s < config.train.size(); ++s) {
    ASSIGN_OR_RETURN(PlannedSource source, PlanSource(config.train[s], config.split));
    source.share = shares[s];
    plan.period += shares[s];
    plan.sources.push_back(std::move(source));
    for (const Split split : {Split::kTrain, Split::kValid}) {
      const bool needed = split == Split::kTrain || config.needs_valid;
      if (needed && plan.Windows(static_cast<int64_t>(s), split) == 0) {
        return EmptySplit(plan.sources.back(), split, plan.sequence_length);
      }
    }
  }
  return plan;
}

absl::Status CheckResume(const DataPlan& saved, const DataPlan& now, int64_t consumed) {
  if (consumed == 0 || Hash(saved) == Hash(now)) return absl::OkStatus();
  std::vector<std::string> changes;
  const auto differ = [&changes](absl::string_view what, const auto& was, const auto& is) {
    if (was != is) changes.push_back(absl::StrCat(what, " was ", was, " and is ", is));
  };
  differ("the order's version", saved.version, now.version);
  differ("data.seed", saved.seed, now.seed);
  differ("the sequence length", saved.sequence_length, now.sequence_length);
  differ("the blend's period", saved.period, now.period);
  differ("the number of sources", saved.sources.size(), now.sources.size());
  for (size_t s = 0; s < std::min(saved.sources.size(), now.sources.size()); ++s) {
    const PlannedSource& was = saved.sources[s];
    const PlannedSource& is = now.sources[s];
    if (was.fingerprint != is.fingerprint) {
      changes.push_back(absl::StrCat("source ", s, " was ", was.path, " (", was.tokens,
                                     " tokens, fingerprint ", was.fingerprint, ") and is ", is.path, " (",
                                     is.tokens, " tokens, fingerprint ", is.fingerprint, ")"));
      continue;
    }
    if (was.share * now.period != is.share * saved.period) {
      differ(absl::StrCat("the weight of source ", s, " (", is.path, ")"),
             absl::StrCat(was.weight, " (share ", was.share, "/", saved.period, ")"),
             absl::StrCat(is.weight, " (share ", is.share, "/", now.period, ")"));
    }
    differ(absl::StrCat("the training split of source ", s, " (", is.path, ")"),
           absl::StrCat("tokens ", was.stream[0].begin, " to ", was.stream[0].end),
           absl::StrCat("tokens ", is.stream[0].begin, " to ", is.stream[0].end));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("data plan: after ", consumed,
                   " samples a change would reorder what was seen: ", absl::StrJoin(changes, "; "),
                   "; put the recipe's data section and its files back as they were, or start a new run"));
}

}  // namespace galley::data
