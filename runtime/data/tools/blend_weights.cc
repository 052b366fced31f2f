#include "runtime/data/tools/blend_weights.h"

#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::data {
namespace {

// Keys of options.epochs that were used are taken out of `unused`.
double EpochsOf(const BlendEntry& entry, const WeighOptions& options, std::set<std::string>& unused) {
  for (const std::string& key : {entry.path, entry.corpus, std::string()}) {
    const auto found = options.epochs.find(key);
    if (found == options.epochs.end()) continue;
    unused.erase(key);
    return found->second;
  }
  return 1;
}

absl::Status Check(const WeighOptions& options) {
  if (options.alpha.has_value() && !options.epochs.empty()) {
    return absl::InvalidArgumentError(
        "weights: --alpha and --temperature go by sizes, --epochs by how often sources are read; "
        "give one of them");
  }
  if (options.alpha.has_value() && !(std::isfinite(*options.alpha) && *options.alpha >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights: alpha is ", *options.alpha, "; it must be a number, and not negative"));
  }
  for (const auto& [key, epochs] : options.epochs) {
    if (std::isfinite(epochs) && epochs >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("weights: ", epochs, " epochs", key.empty() ? "" : " of ",
                                                   key, "; give a number, not negative"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WeighedBlend> WeighBlend(const BlendList& list, const WeighOptions& options) {
  RETURN_IF_ERROR(Check(options));
  const bool given = list.weighted && !options.alpha.has_value() && options.epochs.empty();
  std::set<std::string> unused;
  for (const auto& [key, epochs] : options.epochs) {
    if (!key.empty()) unused.insert(key);
  }
  WeighedBlend blend;
  double sum = 0;
  double needed = 0;  // tokens, for the epochs
  for (const BlendEntry& entry : list.entries) {
    ASSIGN_OR_RETURN(const IndexedDataset dataset, IndexedDataset::Open(entry.path));
    WeighedSource source{.path = entry.path,
                         .corpus = entry.corpus,
                         .weight = entry.weight,
                         .documents = dataset.documents(),
                         .tokens = dataset.tokens()};
    if (source.tokens == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(dataset.bin_path(), ": it holds no token; leave it out of the list"));
    }
    const auto size = static_cast<double>(source.tokens);
    if (!given) {
      const double epochs = EpochsOf(entry, options, unused);
      needed += size * epochs;
      source.weight = options.alpha.has_value() ? std::pow(size, *options.alpha) : size * epochs;
    }
    if (source.weight == 0) {
      blend.left_out.push_back(entry.path);
      continue;
    }
    sum += source.weight;
    blend.sources.push_back(std::move(source));
  }
  if (!unused.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("weights: --epochs ", *unused.begin(),
                                                   ": no source or corpus of that name is in the list"));
  }
  if (blend.sources.empty()) return absl::InvalidArgumentError("weights: every source has weight 0");
  if (!std::isfinite(sum))
    return absl::InvalidArgumentError("weights: their sum is beyond a number; scale them down");
  blend.tokens = options.tokens;
  if (!blend.tokens.has_value() && !options.epochs.empty()) blend.tokens = std::llround(needed);
  for (WeighedSource& source : blend.sources) {
    source.share = source.weight / sum;
    if (!given) source.weight = source.share;
    if (blend.tokens.has_value()) {
      source.epochs = source.share * static_cast<double>(*blend.tokens) / static_cast<double>(source.tokens);
    }
  }
  return blend;
}

std::string NumberText(double value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

}  // namespace galley::data
