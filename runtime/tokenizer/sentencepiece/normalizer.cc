#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/tokenizer/sentencepiece/model.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr absl::string_view kMark = "\xe2\x96\x81";

// A unit of the double array, its bits as Darts-clone assigns them.
struct Unit {
  uint32_t bits;
  bool has_leaf() const { return (bits >> 8 & 1) != 0; }
  uint32_t value() const { return bits & 0x7fffffff; }
  uint32_t label() const { return bits & 0x800000ff; }
  uint32_t offset() const { return (bits >> 10) << ((bits & 0x200) >> 6); }
};

}  // namespace

absl::StatusOr<SentencePieceNormalizer> SentencePieceNormalizer::Make(const SentencePieceModel& model,
                                                                      absl::string_view name) {
  SentencePieceNormalizer out;
  out.dummy_prefix_ = model.add_dummy_prefix;
  out.extra_ = model.remove_extra_whitespaces;
  out.escape_ = model.escape_whitespaces;
  out.suffix_ = model.whitespace_as_suffix;
  for (const auto& piece : model.pieces) {
    if (piece.type != PieceType::kUserDefined) continue;
    out.user_defined_.push_back(piece.text);
    out.user_first_[static_cast<unsigned char>(piece.text[0])] = true;
    out.longest_user_ = std::max(out.longest_user_, piece.text.size());
  }
  std::sort(out.user_defined_.begin(), out.user_defined_.end());
  if (model.charsmap.empty()) return out;
  // The size of the trie in bytes, the trie, the replacements.
  uint32_t size = 0;
  const bool sound = model.charsmap.size() > 4 && (std::memcpy(&size, model.charsmap.data(), 4), true) &&
                     size % 4 == 0 && size >= 4 && size < model.charsmap.size() - 4 &&
                     model.charsmap.back() == '\0';
  if (!sound) {
    return absl::DataLossError(absl::StrCat(name, ": the character map of its normalizer is damaged"));
  }
  out.trie_.resize(size / 4);
  std::memcpy(out.trie_.data(), model.charsmap.data() + 4, size);
  out.replacements_ = model.charsmap.substr(4 + size);
  return out;
}

size_t SentencePieceNormalizer::UserDefined(absl::string_view text) const {
  if (text.empty() || !user_first_[static_cast<unsigned char>(text[0])]) return 0;
  for (size_t length = std::min(longest_user_, text.size()); length > 0; --length) {
    const auto at = std::lower_bound(user_defined_.begin(), user_defined_.end(), text.substr(0, length));
    if (at != user_defined_.end() && absl::string_view(*at) == text.substr(0, length)) return length;
  }
  return 0;
}

SentencePieceNormalizer::Prefix SentencePieceNormalizer::Next(absl::string_view text) const {
  if (const size_t length = UserDefined(text); length > 0) return {text.substr(0, length), length};
  size_t longest = 0;
  size_t value = 0;
  if (!trie_.empty()) {
    // The array comes from the file and may point anywhere: every index is checked before it is used.
    size_t node = Unit{trie_[0]}.offset();
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      node ^= byte;
      if (node >= trie_.size() || Unit{trie_[node]}.label() != byte) break;
      const Unit unit{trie_[node]};
      node ^= unit.offset();
      if (!unit.has_leaf()) continue;
      if (node >= trie_.size() || Unit{trie_[node]}.value() >= replacements_.size()) break;
      longest = i + 1;
      value = Unit{trie_[node]}.value();
    }
  }
  if (longest > 0) return {replacements_.c_str() + value, longest};
  const Utf8Char c = DecodeUtf8(text.data(), text.data() + text.size());
  if (c.length == 0) return {"\xef\xbf\xbd", 1};
  return {text.substr(0, static_cast<size_t>(c.length)), static_cast<size_t>(c.length)};
}

std::string SentencePieceNormalizer::Normalize(absl::string_view text) const {
  std::string out;
  if (extra_) {
    while (!text.empty()) {
      const Prefix prefix = Next(text);
      if (prefix.text != " ") break;
      text.remove_prefix(prefix.length);
    }
  }
  if (text.empty()) return out;
  out.reserve(text.size() + text.size() / 2);
  const absl::string_view space = escape_ ? kMark : " ";
  const auto put_space = [&] { out.append(space.data(), space.size()); };
  if (!suffix_ && dummy_prefix_) put_space();
  bool after_space = extra_;
  while (!text.empty()) {
    const Prefix prefix = Next(text);
    absl::string_view piece = prefix.text;
    while (after_space && absl::ConsumePrefix(&piece, " ")) {
    }
    if (!piece.empty()) {
      for (const char c : piece) {
        if (c == ' ') {
          put_space();
        } else {
          out.push_back(c);
        }
      }
      after_space = piece.back() == ' ';
    }
    text.remove_prefix(prefix.length);
    if (!extra_) after_space = false;
  }
  while (extra_ && absl::EndsWith(out, space)) out.resize(out.size() - space.size());
  if (suffix_ && dummy_prefix_) put_space();
  return out;
}

}  // namespace galley::tokenizer
