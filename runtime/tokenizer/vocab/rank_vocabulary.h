// Vocabularies of ranked byte strings, as tiktoken and Tekken have them: the adjacent pair whose bytes
// together are the token of lowest rank becomes that token; a piece that is a token is taken whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/tokenizer/tokenizer.h"

namespace galley::tokenizer {

struct RankVocabulary {
  TokenizerKind kind = TokenizerKind::kTiktoken;
  std::string name;                                       // of the file, for messages
  std::vector<std::pair<std::string, int32_t>> ranked;    // bytes and id; lower ids merge first
  std::vector<std::pair<std::string, int32_t>> specials;  // text and id
  std::string bos;                                        // begins documents, empty: none does
  std::string pattern;                                    // a name of split.h, or a regular expression
};

// Checks that every byte has a token and that nothing stands twice.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeRankTokenizer(RankVocabulary vocabulary,
                                                             const TokenizerSpec& spec);

// The special tokens that go with a named pattern; `ranks` tokens come before them.
std::vector<std::pair<std::string, int32_t>> CustomarySpecials(absl::string_view pattern, int32_t ranks);

}  // namespace galley::tokenizer
