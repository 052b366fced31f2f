// The two text files of a GPT-2 style vocabulary, read strictly and within bounds.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/tokenizer/pipeline/bpe.h"

namespace galley::tokenizer {

struct Gpt2Vocabulary {
  std::unordered_map<std::string, int32_t> ids;  // as they are written in vocab.json
  std::vector<std::string> tokens;               // bytes of each id
  BpeAlphabet alphabet;                          // of bytes
  std::vector<BpeMerge> merges;                  // by rank
};

// vocab.json: one object, token to id, ids 0 to n - 1 each once. In both files a token is written with one
// visible character a byte (33 to 126, 161 to 172 and 174 to 255 stand for themselves, the other 68 bytes in
// order are U+0100 and on). A token with another character (an added one) stands for its own UTF-8 and is
// never produced by merging. merges.txt: "left right" a line, after an optional first line "#version...".
// Errors name file and line.
absl::StatusOr<Gpt2Vocabulary> ParseGpt2Vocabulary(absl::string_view vocab_json, absl::string_view merges_txt,
                                                   absl::string_view vocab_name,
                                                   absl::string_view merges_name);

}  // namespace galley::tokenizer
