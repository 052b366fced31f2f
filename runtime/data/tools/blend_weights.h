// How much of each source a blend should hold, and how often a run would then read it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/tools/blend_list.h"

namespace galley::data {

struct WeighOptions {
  // Weights by size to this power: 1 is in proportion, 0 all alike, between them small sources count more.
  // Unset: the weights of the list; by size where it has none.
  std::optional<double> alpha = {};
  // How often each source is to be read; by its path or its corpus, and "" for all others (else 1). Weights
  // are then sizes times epochs.
  std::map<std::string, double> epochs = {};
  std::optional<int64_t> tokens =
      {};  // that the run reads; with `epochs`, what it would need for them when unset
};

struct WeighedSource {
  std::string path;
  std::string corpus = {};
  double weight = 0;
  double share = 0;  // weight / sum of weights
  int64_t documents = 0;
  int64_t tokens = 0;
  std::optional<double> epochs = {};  // share * run's tokens / tokens
};

struct WeighedBlend {
  std::vector<WeighedSource> sources;
  std::vector<std::string> left_out;   // paths of weight 0, which a recipe does not take
  std::optional<int64_t> tokens = {};  // of the run
};

// Opens every source for its size. Given weights stay the numbers they are; those that are computed have
// sum 1. kInvalidArgument for options that exclude each other, epochs of a source that is not in the list,
// and a source without tokens.
absl::StatusOr<WeighedBlend> WeighBlend(const BlendList& list, const WeighOptions& options);

// The shortest text that reads back as the very same number.
std::string NumberText(double value);

}  // namespace galley::data
