// What a model family says of itself: one table of parameters, read by memory, initialisation, decay groups,
// sharding, checkpoint names, FLOPs and the plan.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace galley::plan {

enum class Init { kZeros, kOnes, kNormal };
enum class Split { kNone, kRows, kCols };  // the axis tensor parallelism cuts along; kNone: all ranks hold it
enum class Role { kEmbedding, kPosition, kMatrix, kBias, kNormGain, kNormBias, kHead };

// Rows of a parameter that are a matrix (or bias) of their own: q, k and v of a fused projection. Each part
// is cut by itself, so that a rank has its heads of q, of k and of v.
struct ParamPart {
  std::string name;  // "" where it is the only one
  int64_t rows = 0;
  Split split = Split::kNone;
};

struct ParamSpec {
  std::string name;            // checkpoint name, "layers.3.attn.qkv.weight"
  std::vector<int64_t> shape;  // C order; matrices are (out, in)
  Init init = Init::kNormal;
  double std = 0;                     // kNormal
  bool decay = true;                  // weight decay applies (by role: matrices and embeddings)
  std::vector<ParamPart> parts = {};  // one below the other; none: one, not cut
  Role role = Role::kMatrix;
  int64_t elements() const {
    int64_t n = 1;
    for (int64_t s : shape) n *= s;
    return n;
  }
};

// FLOPs of one token in one forward and backward pass, by part. Formula:
// models "FLOPs per token" (docs/plan.md), version kFlopsFormula: 6 x
// multiply-adds, causal attention halved, true vocabulary, no recomputation.
inline constexpr char kFlopsFormula[] = "galley-flops-v1 (causal-halved, GQA, gated, no recompute)";
struct Flops {
  double attention_projections = 0;
  double attention_scores = 0;
  double mlp = 0;
  double head = 0;
  double total() const { return attention_projections + attention_scores + mlp + head; }
};

struct ModelCard {
  std::string family;
  std::vector<ParamSpec> params;  // in checkpoint and initialisation order
  Flops flops_per_token;
  int64_t vocab = 0;         // true vocabulary
  int64_t padded_vocab = 0;  // rows of embedding and head
  int64_t hidden = 0;
  int64_t parameters() const {
    int64_t n = 0;
    for (const ParamSpec& p : params) n += p.elements();
    return n;
  }
  // Whether the head is the embedding.
  bool tied_head() const {
    return std::none_of(params.begin(), params.end(),
                        [](const ParamSpec& p) { return p.role == Role::kHead; });
  }
  // As papers count them: without the rows that only pad the vocabulary.
  int64_t unpadded_parameters() const {
    int64_t n = parameters();
    for (const ParamSpec& p : params) {
      if (p.role == Role::kEmbedding || p.role == Role::kHead) n -= (padded_vocab - vocab) * hidden;
    }
    return n;
  }
};

}  // namespace galley::plan
