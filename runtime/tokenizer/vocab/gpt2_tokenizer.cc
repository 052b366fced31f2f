#include <utility>

#include "runtime/base/status.h"
#include "runtime/tokenizer/pipeline/models.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/vocab/gpt2_vocab.h"

namespace galley::tokenizer {

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeGpt2Tokenizer(absl::string_view vocab_json,
                                                             absl::string_view merges_txt,
                                                             absl::string_view vocab_name,
                                                             absl::string_view merges_name,
                                                             const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(Gpt2Vocabulary vocabulary,
                   ParseGpt2Vocabulary(vocab_json, merges_txt, vocab_name, merges_name));
  Parts parts;
  parts.kind = TokenizerKind::kGpt2;
  parts.scanner = Gpt2Piece;
  const auto id_of = [&](absl::string_view text) {
    const auto found = vocabulary.ids.find(std::string(text));
    return found == vocabulary.ids.end() ? -1 : found->second;
  };
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod, vocab_name, id_of));
  if (spec.special_tokens_in_text && parts.eod.has_value()) {
    AddedToken token;
    token.content = vocabulary.tokens[static_cast<size_t>(*parts.eod)];
    token.id = *parts.eod;
    token.special = true;
    parts.added = AddedTokens({token}, false);
  }
  parts.model =
      MakeBpeModel(Bpe(std::move(vocabulary.alphabet), vocabulary.merges, vocabulary.tokens, false));
  parts.known.assign(vocabulary.tokens.size(), true);
  parts.tokens = std::move(vocabulary.tokens);
  return MakePipeline(std::move(parts));
}

}  // namespace galley::tokenizer
