#include "runtime/models/llama/spec.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/models/llama/keys.h"

namespace galley::models {
namespace {

using plan::Init;
using plan::ParamPart;
using plan::ParamSpec;
using plan::Role;
using plan::Split;

ParamSpec Gain(const std::string& name, int64_t hidden) {
  return {name, {hidden}, Init::kOnes, 0, false, {{"", hidden, Split::kNone}}, Role::kNormGain};
}

ParamSpec Matrix(const std::string& name, int64_t cols, double std, std::vector<ParamPart> parts,
                 Role role = Role::kMatrix) {
  int64_t rows = 0;
  for (const ParamPart& part : parts) rows += part.rows;
  return {name, {rows, cols}, Init::kNormal, std, true, std::move(parts), role};
}

// Six for each multiply-add of a weight, two forward and four backward; of the scores, which are causal, half
// (docs/plan.md, "FLOPs per token").
plan::Flops FlopsPerToken(const recipe::Model& m) {
  const double layers = m.layers, hidden = m.hidden;
  const double kv_share = static_cast<double>(m.keys.As<LlamaKeys>().kv_heads) / static_cast<double>(m.heads);
  return {.attention_projections = 12 * layers * hidden * hidden * (1 + kv_share),
          .attention_scores = 6 * layers * m.context * hidden,
          .mlp = 18 * layers * hidden * m.ffn,
          .head = 6 * hidden * m.vocab};
}

}  // namespace

plan::ModelCard DescribeLlama(const recipe::RecipeSpec& spec, int64_t padded_vocab) {
  const recipe::Model& m = spec.model;
  plan::ModelCard card;
  card.family = "llama";
  card.vocab = m.vocab;
  card.padded_vocab = padded_vocab;
  card.hidden = m.hidden;

  const double std = m.init_std;
  // As in GPT-2: the stream is a sum of 2 x layers branches.
  const double out_std = std / std::sqrt(2.0 * static_cast<double>(m.layers));
  const int64_t kv = m.hidden / m.heads * m.keys.As<LlamaKeys>().kv_heads;
  std::vector<ParamSpec>& p = card.params;
  const std::vector<ParamPart> vocabulary = {{"", padded_vocab, Split::kRows}};
  p.push_back(Matrix("embedding", m.hidden, std, vocabulary, Role::kEmbedding));
  for (int64_t l = 0; l < m.layers; ++l) {
    const std::string at = absl::StrCat("layers.", l, ".");
    p.push_back(Gain(at + "norm1.gain", m.hidden));
    p.push_back(Matrix(at + "attn.qkv.weight", m.hidden, std,
                       {{"q", m.hidden, Split::kRows}, {"k", kv, Split::kRows}, {"v", kv, Split::kRows}}));
    p.push_back(Matrix(at + "attn.out.weight", m.hidden, out_std, {{"", m.hidden, Split::kCols}}));
    p.push_back(Gain(at + "norm2.gain", m.hidden));
    p.push_back(Matrix(at + "mlp.gate_up.weight", m.hidden, std,
                       {{"gate", m.ffn, Split::kRows}, {"up", m.ffn, Split::kRows}}));
    p.push_back(Matrix(at + "mlp.down.weight", m.ffn, out_std, {{"", m.hidden, Split::kCols}}));
  }
  p.push_back(Gain("norm_f.gain", m.hidden));
  if (!m.keys.As<LlamaKeys>().tied_embeddings) {
    p.push_back(Matrix("head.weight", m.hidden, std, vocabulary, Role::kHead));
  }

  card.flops_per_token = FlopsPerToken(m);
  return card;
}

}  // namespace galley::models
