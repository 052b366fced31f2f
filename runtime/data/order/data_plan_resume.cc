// Whether a run may go on with another data plan.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/skipping_order.h"

namespace galley::data {
namespace {

const char* Word(bool yes) { return yes ? "true" : "false"; }

// How often a source is read decides Megatron's whole order, and what is asked of it decides how often.
std::string Reading(const PlannedSource& source, const DataPlan& plan) {
  const MegatronEpochs& epochs = source.epochs[0];
  return absl::StrCat("sequences ", source.sequences[0].begin, " to ", source.sequences[0].end, " in ",
                      epochs.epochs, " epochs", epochs.separate_last ? ", the last shuffled by itself," : "",
                      " for a run of ", plan.samples[0], " samples");
}

// The stretches left out of the first `consumed` samples of a run.
std::string SkippedBefore(const DataPlan& plan, int64_t consumed) {
  const int64_t last = consumed == 0 ? -1 : Unskipped(plan.skip, consumed - 1);
  std::string text;
  for (const Range& range : plan.skip) {
    if (range.begin < last) absl::StrAppend(&text, text.empty() ? "" : ", ", range.begin, " to ", range.end);
  }
  return text.empty() ? "nothing" : absl::StrCat("samples ", text);
}

}  // namespace

absl::Status CheckResume(const DataPlan& saved, const DataPlan& now, int64_t consumed) {
  const std::string skipped_was = SkippedBefore(saved, consumed), skipped_is = SkippedBefore(now, consumed);
  if (consumed == 0 || (Hash(saved) == Hash(now) && skipped_was == skipped_is)) return absl::OkStatus();
  std::vector<std::string> changes;
  const auto differ = [&changes](absl::string_view what, const auto& was, const auto& is) {
    if (was != is) changes.push_back(absl::StrCat(what, " was ", was, " and is ", is));
  };
  differ("the order's version", saved.version, now.version);
  differ("what data.skip leaves out up to here", skipped_was, skipped_is);
  differ("data.seed", saved.seed, now.seed);
  differ("the sequence length", saved.sequence_length, now.sequence_length);
  differ("the blend's period", saved.period, now.period);
  differ("whether the source is blended", Word(saved.blended), Word(now.blended));
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
    if (saved.megatron() && now.megatron()) {
      if (saved.blended && now.blended)
        differ(absl::StrCat("the weight of source ", s, " (", is.path, ")"), was.weight, is.weight);
      differ(absl::StrCat("source ", s, " (", is.path, ")"), Reading(was, saved), Reading(is, now));
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
