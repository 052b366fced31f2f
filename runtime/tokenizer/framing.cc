#include "runtime/tokenizer/framing.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::tokenizer {

absl::StatusOr<Framing> Framing::Make(const Tokenizer& tokenizer, const FramingOptions& options) {
  Framing framing;
  if (options.add_special_tokens) {
    framing.before_ = tokenizer.frame().before;
    framing.after_ = tokenizer.frame().after;
    if (framing.before_.empty() && framing.after_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tokenizer ", Name(tokenizer.kind()),
          " has no template that puts special tokens around a document; ", "leave --add-special-tokens out"));
    }
  }
  if (!options.append_eod) return framing;
  if (!tokenizer.eod().has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the vocabulary of tokenizer ", Name(tokenizer.kind()), " (", tokenizer.vocab(),
        " ids) has no end-of-document id; leave --append-eod out, or name a token of it with --eod"));
  }
  const int32_t eod = *tokenizer.eod();
  if (!framing.after_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tokenizer's template ends documents with id ", framing.after_.back(),
                     ", and --append-eod with id ", eod,
                     ": documents would end twice; take one of --add-special-tokens and --append-eod"));
  }
  if (!framing.before_.empty() && framing.before_.front() == eod) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the tokenizer's template begins documents with id ", eod,
        ", and --append-eod ends them with the same: it ",
        "would appear twice between documents; take one of --add-special-tokens and --append-eod"));
  }
  framing.after_ = {eod};
  return framing;
}

absl::Status Framing::Encode(Encoder& encoder, absl::string_view text, std::vector<int32_t>& ids) const {
  const size_t begin = ids.size();
  ids.insert(ids.end(), before_.begin(), before_.end());
  const size_t body = ids.size();
  RETURN_IF_ERROR(encoder.Encode(text, ids));
  if (ids.size() == body) {
    ids.resize(begin);
    return absl::OkStatus();
  }
  const bool twice_before = !before_.empty() && ids[body] == before_.back();
  const bool twice_after = !after_.empty() && ids.back() == after_.front();
  if (twice_before || twice_after) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text itself ", twice_before ? "begins" : "ends", " with the separator (id ",
                     twice_before ? ids[body] : ids.back(), ") that is put there: it would appear twice; ",
                     twice_before ? "leave --add-special-tokens out" : "leave --append-eod out",
                     ", or --special-tokens-in-text, or take the separators out of the text"));
  }
  ids.insert(ids.end(), after_.begin(), after_.end());
  return absl::OkStatus();
}

}  // namespace galley::tokenizer
