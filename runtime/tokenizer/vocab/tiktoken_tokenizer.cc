#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/split/split.h"
#include "runtime/tokenizer/vocab/rank_vocabulary.h"

namespace galley::tokenizer {
namespace {

struct Published {
  uint64_t hash;  // Hash64 of the file
  absl::string_view pattern;
};
constexpr Published kPublished[] = {
    {0x3cb2fbe95939bd2d, "gpt2"},    // r50k_base.tiktoken
    {0xf2d3fa62565e6e17, "gpt2"},    // p50k_base.tiktoken
    {0xaa5d7bf38900641a, "cl100k"},  // cl100k_base.tiktoken
    {0x72a095e82ca109d6, "o200k"},   // o200k_base.tiktoken
    {0xe7339703bb9e9d7b, "llama3"},  // Llama 3's tokenizer.model
};

absl::StatusOr<std::string> PatternFor(absl::string_view text, absl::string_view name,
                                       const TokenizerSpec& spec) {
  if (!spec.pattern.empty()) return spec.pattern;
  const uint64_t hash = Hash64(text);
  for (const Published& file : kPublished) {
    if (file.hash == hash) return std::string(file.pattern);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": a rank file holds no split pattern, and this one is not known by its checksum; name its ",
      "pattern: gpt2, cl100k, llama3, o200k, tekken or a regular expression"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTiktokenTokenizer(absl::string_view ranks,
                                                                 absl::string_view name,
                                                                 const TokenizerSpec& spec) {
  RankVocabulary vocabulary;
  vocabulary.kind = TokenizerKind::kTiktoken;
  vocabulary.name = std::string(name);
  ASSIGN_OR_RETURN(vocabulary.pattern, PatternFor(ranks, name, spec));
  int64_t line_number = 0;
  int32_t last = -1;
  while (!ranks.empty()) {
    const size_t end = std::min(ranks.find('\n'), ranks.size());
    absl::string_view line = ranks.substr(0, end);
    ranks.remove_prefix(std::min(end + 1, ranks.size()));
    ++line_number;
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    std::string bytes;
    int32_t rank = -1;
    if (space == absl::string_view::npos || !absl::Base64Unescape(line.substr(0, space), &bytes) ||
        !absl::SimpleAtoi(line.substr(space + 1), &rank) || rank < 0) {
      return absl::DataLossError(
          absl::StrCat(name, ":", line_number, ": '", absl::Utf8SafeCEscape(line.substr(0, 60)),
                       "' is not a token in base64, a blank and a rank; take the file whole"));
    }
    last = std::max(last, rank);
    vocabulary.ranked.emplace_back(std::move(bytes), rank);
  }
  if (vocabulary.ranked.empty()) {
    return absl::DataLossError(absl::StrCat(name, ": no ranks; take the file whole"));
  }
  vocabulary.specials = CustomarySpecials(vocabulary.pattern, last + 1);
  if (vocabulary.pattern == "llama3") vocabulary.bos = "<|begin_of_text|>";
  return MakeRankTokenizer(std::move(vocabulary), spec);
}

}  // namespace galley::tokenizer
