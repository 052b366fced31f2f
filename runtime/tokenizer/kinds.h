// The kinds of tokenizers there are, in one table: recipes,
// the command line and the readers take them from it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::tokenizer {

class Tokenizer;

enum class TokenizerKind { kBytes, kGpt2, kHuggingFace, kTiktoken, kTekken, kSentencePiece, kWordPiece };

// What a tokenizer is made of: the recipe's data.tokenizer, field by field.
struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::kBytes;
  std::string file = {};    // of kinds with one file; recipes have absolute paths
  std::string vocab = {};   // gpt2: vocab.json
  std::string merges = {};  // gpt2: merges.txt
  // tiktoken: gpt2, cl100k, llama3, o200k, tekken, or a regular expression of one's own. Empty: known by the
  // file's checksum, an error for other files.
  std::string pattern = {};
  // Text of the end-of-document token. Empty: the first of <|endoftext|>, <|end_of_text|>, </s>, <eos>, [SEP]
  // that the vocabulary holds.
  std::string eod = {};
  // Documents and prompts get the tokenizer's Frame; for those who encode, MakeTokenizer does not look at it.
  bool add_special_tokens = false;
  // Special tokens written in a text become their ids; otherwise they are text like any other.
  bool special_tokens_in_text = false;
  bool lowercase = true;  // wordpiece: the vocabulary is of lower-case words without accents
};

// Which fields of a spec name a kind's files.
enum class KindFiles { kNone, kVocabAndMerges, kFile };

struct KindInfo {
  TokenizerKind kind;
  absl::string_view name;     // in recipes, data sets and before the colon of KIND:FILE
  absl::string_view meaning;  // for the recipe's documentation
  KindFiles files;
  // Whether a file's text is of this kind and of no other; nullptr where only its name tells.
  bool (*recognises)(absl::string_view text);
  // Reads the texts of FilesOf(spec), in that order.
  absl::StatusOr<std::unique_ptr<Tokenizer>> (*read)(const std::vector<std::string>& texts,
                                                     const TokenizerSpec& spec);
};

// In the order of the enum.
std::span<const KindInfo> Kinds();
const KindInfo& Info(TokenizerKind kind);
absl::string_view Name(TokenizerKind kind);
// "a, b or c", of the kinds that have such files.
std::string NamesOfKinds(KindFiles files);
// What ParseTokenizer takes, for messages and the command line's help: "bytes, gpt2:DIR with ...".
std::string CommandLineForms();

// The kind of tokenizer that a file's text is of; none when it is of none.
std::optional<TokenizerKind> Recognise(absl::string_view text);

}  // namespace galley::tokenizer
