#include "runtime/models/gpt2/spec.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace galley::models {
namespace {

using plan::Init;
using plan::ParamPart;
using plan::ParamSpec;
using plan::Role;
using plan::Split;

class Table {
 public:
  explicit Table(std::vector<ParamSpec>& out) : out_(out) {}

  void Norm(const std::string& at, int64_t hidden) {
    const std::vector<ParamPart> parts = {{"", hidden, Split::kNone}};
    out_.push_back({at + ".gain", {hidden}, Init::kOnes, 0, false, parts, Role::kNormGain});
    out_.push_back({at + ".bias", {hidden}, Init::kZeros, 0, false, parts, Role::kNormBias});
  }

  // A matrix and its bias. A column split leaves the bias whole: it is added after the sum over ranks.
  void Linear(const std::string& at, int64_t cols, double std, std::vector<ParamPart> parts) {
    int64_t rows = 0;
    for (const ParamPart& part : parts) rows += part.rows;
    out_.push_back({at + ".weight", {rows, cols}, Init::kNormal, std, true, parts, Role::kMatrix});
    for (ParamPart& part : parts) {
      if (part.split == Split::kCols) part.split = Split::kNone;
    }
    out_.push_back({at + ".bias", {rows}, Init::kZeros, 0, false, std::move(parts), Role::kBias});
  }

 private:
  std::vector<ParamSpec>& out_;
};

// Six for each multiply-add of a weight, two forward and four backward; of the scores, which are causal, half
// (docs/plan.md, "FLOPs per token").
plan::Flops FlopsPerToken(const recipe::Model& m) {
  const double layers = m.layers, hidden = m.hidden;
  return {.attention_projections = 24 * layers * hidden * hidden,
          .attention_scores = 6 * layers * m.context * hidden,
          .mlp = 12 * layers * hidden * m.ffn,
          .head = 6 * hidden * m.vocab};
}

}  // namespace

plan::ModelCard DescribeGpt2(const recipe::RecipeSpec& spec, int64_t padded_vocab) {
  const recipe::Model& m = spec.model;
  plan::ModelCard card;
  card.family = "gpt2";
  card.vocab = m.vocab;
  card.padded_vocab = padded_vocab;
  card.hidden = m.hidden;

  const double std = m.init_std;
  // The stream is a sum of 2 x layers branches; their last matrices start smaller, so that its variance does
  // not grow with the depth (Radford et al., 2019, 2.3).
  const double out_std = std / std::sqrt(2.0 * static_cast<double>(m.layers));
  Table table(card.params);
  const auto matrix = [&](const char* name, int64_t rows, Split split, Role role) {
    card.params.push_back({name, {rows, m.hidden}, Init::kNormal, std, true, {{"", rows, split}}, role});
  };
  matrix("wte", padded_vocab, Split::kRows, Role::kEmbedding);
  matrix("wpe", m.context, Split::kNone, Role::kPosition);
  for (int64_t l = 0; l < m.layers; ++l) {
    const std::string at = absl::StrCat("layers.", l, ".");
    table.Norm(at + "ln1", m.hidden);
    table.Linear(
        at + "attn.qkv", m.hidden, std,
        {{"q", m.hidden, Split::kRows}, {"k", m.hidden, Split::kRows}, {"v", m.hidden, Split::kRows}});
    table.Linear(at + "attn.out", m.hidden, out_std, {{"", m.hidden, Split::kCols}});
    table.Norm(at + "ln2", m.hidden);
    table.Linear(at + "mlp.up", m.hidden, std, {{"", m.ffn, Split::kRows}});
    table.Linear(at + "mlp.down", m.ffn, out_std, {{"", m.hidden, Split::kCols}});
  }
  table.Norm("ln_f", m.hidden);

  card.flops_per_token = FlopsPerToken(m);
  return card;
}

}  // namespace galley::models
