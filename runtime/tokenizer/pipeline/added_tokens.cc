#include "runtime/tokenizer/pipeline/added_tokens.h"

#include <algorithm>
#include <utility>

#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

// The character that ends before p.
char32_t CharBefore(const char* begin, const char* p) {
  const char* start = p - 1;
  while (start > begin && p - start < 4 && ContinuesUtf8(*start)) --start;
  const Utf8Char c = DecodeUtf8(start, p);
  return c.length == p - start ? c.code : kReplacement;
}

// Whether no word character touches [start, stop) of the text.
bool IsWholeWord(absl::string_view text, size_t start, size_t stop) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  if (start > 0 && IsWord(CharBefore(begin, begin + start))) return false;
  return stop == text.size() || !IsWord(CharAt(begin + stop, end).code);
}

// Where the whitespace that ends at `at` begins, not before `first`.
size_t SpaceBegin(absl::string_view text, size_t first, size_t at) {
  while (at > first && IsSpace(CharBefore(text.data(), text.data() + at))) {
    do --at;
    while (ContinuesUtf8(text[at]));
  }
  return at;
}

// Where the whitespace that begins at `at` ends.
size_t SpaceEnd(absl::string_view text, size_t at) {
  while (at < text.size()) {
    const Utf8Char c = CharAt(text.data() + at, text.data() + text.size());
    if (!IsSpace(c.code)) break;
    at += static_cast<size_t>(c.length);
  }
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, bool ignore_special)
    : ignore_special_(ignore_special), tokens_(std::move(tokens)), nodes_(1), first_(256, false) {
  for (size_t t = 0; t < tokens_.size(); ++t) {
    const std::string& content = tokens_[t].content;
    if (content.empty()) continue;
    if (!ignore_special || !tokens_[t].special) empty_ = false;
    first_[static_cast<unsigned char>(content[0])] = true;
    size_t node = 0;
    for (const char c : content) {
      const auto byte = static_cast<uint8_t>(c);
      auto& next = nodes_[node].next;
      const auto at = std::lower_bound(next.begin(), next.end(), std::pair<uint8_t, int32_t>(byte, -1));
      if (at != next.end() && at->first == byte) {
        node = static_cast<size_t>(at->second);
        continue;
      }
      next.insert(at, {byte, static_cast<int32_t>(nodes_.size())});
      node = nodes_.size();
      nodes_.emplace_back();
    }
    if (nodes_[node].token < 0) nodes_[node].token = static_cast<int32_t>(t);
  }
}

int32_t AddedTokens::Longest(const char* p, const char* end, size_t& length) const {
  int32_t found = -1;
  size_t node = 0;
  for (const char* at = p; at < end;) {
    const auto byte = static_cast<uint8_t>(*at++);
    const auto& next = nodes_[node].next;
    const auto edge = std::lower_bound(next.begin(), next.end(), std::pair<uint8_t, int32_t>(byte, -1));
    if (edge == next.end() || edge->first != byte) break;
    node = static_cast<size_t>(edge->second);
    if (nodes_[node].token < 0) continue;
    found = nodes_[node].token;
    length = static_cast<size_t>(at - p);
  }
  return found;
}

void AddedTokens::Split(absl::string_view text, std::vector<Part>& parts) const {
  parts.clear();
  if (text.empty()) return;
  if (empty_) return parts.push_back({0, text.size(), -1});
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  size_t done = 0;  // where the text that no part holds yet begins
  for (const char* p = begin; p < end;) {
    size_t length = 0;
    const int32_t found = first_[static_cast<unsigned char>(*p)] ? Longest(p, end, length) : -1;
    if (found < 0) {
      ++p;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found)];
    auto start = static_cast<size_t>(p - begin);
    size_t stop = start + length;
    // Matches do not overlap, even those that are not taken. The search goes on behind the token itself and
    // not behind the whitespace it takes, as Hugging Face's does: a token may begin in that whitespace.
    p += length;
    if (ignore_special_ && token.special) continue;
    if (token.single_word && !IsWholeWord(text, start, stop)) continue;
    if (token.lstrip) start = SpaceBegin(text, done, start);
    if (token.rstrip) stop = SpaceEnd(text, stop);
    if (done < start) parts.push_back({done, start, -1});
    parts.push_back({start, stop, token.id});
    done = stop;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
}

}  // namespace galley::tokenizer
