// The stages that most tokenizers are put together from: added tokens, normalizer, added tokens again,
// pieces, a model for each piece; and the steps that turn tokens back into text.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tokenizer/pipeline/added_tokens.h"
#include "runtime/tokenizer/split/split.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::tokenizer {

// Changes a text in place. Thread-safe.
using TextStep = std::function<absl::Status(std::string&)>;

struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool first = false;  // begins where the whole text begins
};

// A text and its pieces in order; spans of no bytes do not stand in it. Steps cut spans, drop them or write
// another text with spans of its own into `storage`.
struct Pieces {
  absl::string_view text;
  std::string storage;
  std::vector<Span> spans;
  std::vector<Span> work;  // of the step at work
};
using PieceStep = std::function<absl::Status(Pieces&)>;

// One a thread.
class PieceEncoder {
 public:
  virtual ~PieceEncoder() = default;
  // Appends the ids of the piece [p, p + length), length > 0. `end`: the end of the readable text around it.
  virtual absl::Status Encode(const char* p, size_t length, const char* end, std::vector<int32_t>& ids) = 0;
};

// Immutable and thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  virtual std::unique_ptr<PieceEncoder> NewEncoder() const = 0;
};

// Changes the texts of tokens on their way back. `continued` as in Tokenizer::Decode.
using DecodeStep = std::function<void(std::vector<std::string>& tokens, bool continued)>;

struct Parts {
  TokenizerKind kind = TokenizerKind::kBytes;
  // The text has bytes that are no UTF-8 replaced first, for stages that know characters only.
  bool characters = false;
  AddedTokens added;
  std::vector<TextStep> normalizer;
  AddedTokens added_normalized;
  // One of the two: a scanner alone, or steps (none: each text between added tokens is one piece).
  PieceFunction scanner = nullptr;
  std::vector<PieceStep> steps;
  std::unique_ptr<Model> model;
  std::vector<std::string> tokens;  // by id, as the decode steps take them
  std::vector<bool> known;          // by id: there is such a token
  std::vector<DecodeStep> decoder;  // the tokens left are joined without a separator
  bool join_with_space = false;     // but with one, when there is no decoder at all
  Frame frame;
  std::optional<int32_t> eod;
};

std::unique_ptr<Tokenizer> MakePipeline(Parts parts);

// The end-of-document token: `wanted`, or without it the first customary one; `id` tells ids of texts, -1
// when there is none. An error when `wanted` is unknown.
absl::StatusOr<std::optional<int32_t>> FindEod(const std::string& wanted, absl::string_view name,
                                               const std::function<int32_t(absl::string_view)>& id);

}  // namespace galley::tokenizer
