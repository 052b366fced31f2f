// The models of a pipeline: what turns a piece of text into ids.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "runtime/tokenizer/pipeline/bpe.h"
#include "runtime/tokenizer/pipeline/pipeline.h"

namespace galley::tokenizer {

// `cut`, when not empty, is a mark before which a piece may be cut (Bpe::CutsBefore): shorter pieces are
// faster and fit the cache.
std::unique_ptr<Model> MakeBpeModel(Bpe bpe, std::string cut = "");

struct WordPieceVocabulary {
  std::unordered_map<std::string, int32_t> ids;
  std::string unknown = "[UNK]";
  std::string prefix = "##";  // of tokens that continue a word
  size_t max_chars = 100;     // a longer word is unknown
};
// The longest token that begins a word, then the longest that continues it, and so on; a word that is not
// used up is one unknown token as a whole. Encoding fails at such a word when there is no unknown token.
std::unique_ptr<Model> MakeWordPieceModel(WordPieceVocabulary vocabulary);

}  // namespace galley::tokenizer
