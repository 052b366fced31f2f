#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/pipeline/decode_steps.h"
#include "runtime/tokenizer/pipeline/models.h"
#include "runtime/tokenizer/pipeline/normalize.h"
#include "runtime/tokenizer/pipeline/pretokenize.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeWordPieceTokenizer(absl::string_view vocab_txt,
                                                                  absl::string_view name,
                                                                  const TokenizerSpec& spec) {
  const auto bad = [&](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat(name, ": ", what, "; take the vocab.txt of a BERT style tokenizer"));
  };
  Parts parts;
  parts.kind = TokenizerKind::kWordPiece;
  parts.characters = true;
  WordPieceVocabulary vocabulary;
  while (!vocab_txt.empty()) {
    const size_t end = std::min(vocab_txt.find('\n'), vocab_txt.size());
    const absl::string_view token = absl::StripTrailingAsciiWhitespace(vocab_txt.substr(0, end));
    vocab_txt.remove_prefix(std::min(end + 1, vocab_txt.size()));
    const auto id = static_cast<int32_t>(parts.tokens.size());
    if (!IsValidUtf8(token)) return bad(absl::StrCat("line ", id + 1, " is not valid UTF-8"));
    if (!vocabulary.ids.emplace(std::string(token), id).second) {
      return bad(absl::StrCat("line ", id + 1, ": token '", absl::Utf8SafeCEscape(token.substr(0, 60)),
                              "' appears twice"));
    }
    parts.tokens.emplace_back(token);
  }
  if (parts.tokens.empty()) return bad("no tokens");
  const auto id_of = [&](absl::string_view text) {
    const auto found = vocabulary.ids.find(std::string(text));
    return found == vocabulary.ids.end() ? -1 : found->second;
  };
  for (const absl::string_view needed : {"[UNK]", "[CLS]", "[SEP]"}) {
    if (id_of(needed) < 0) return bad(absl::StrCat("token ", needed, " is missing"));
  }
  parts.known.assign(parts.tokens.size(), true);
  std::vector<AddedToken> added;
  for (const absl::string_view special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (id_of(special) < 0) continue;
    AddedToken token;
    token.content = std::string(special);
    token.id = id_of(special);
    token.special = true;
    added.push_back(std::move(token));
  }
  parts.added = AddedTokens(std::move(added), !spec.special_tokens_in_text);
  BertOptions bert;
  bert.lowercase = bert.strip_accents = spec.lowercase;
  parts.normalizer.push_back(BertStep(bert));
  parts.steps.push_back(SplitStep(CharMatches(IsSpace), SplitBehavior::kRemoved));
  parts.steps.push_back(SplitStep(CharMatches(IsBertPunctuation), SplitBehavior::kIsolated));
  parts.decoder.push_back(WordPieceDecode("##", true));
  parts.frame = {{id_of("[CLS]")}, {id_of("[SEP]")}};
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod, name, id_of));
  parts.model = MakeWordPieceModel(std::move(vocabulary));
  return MakePipeline(std::move(parts));
}

}  // namespace galley::tokenizer
