#include "runtime/tokenizer/pipeline/pretokenize.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/byte_chars.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

// Parts merged, dropped or kept by `behavior`; those with begin == end are dropped later.
void Apply(SplitBehavior behavior, std::vector<Match>& parts) {
  std::vector<Match> out;
  switch (behavior) {
    case SplitBehavior::kIsolated:
      return;
    case SplitBehavior::kRemoved:
      parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Match& m) { return m.matched; }),
                  parts.end());
      return;
    case SplitBehavior::kContiguous:
      for (const Match& m : parts) {
        if (!out.empty() && out.back().matched == m.matched) {
          out.back().end = m.end;
        } else {
          out.push_back(m);
        }
      }
      break;
    case SplitBehavior::kMergedWithPrevious: {
      bool previous = false;
      for (const Match& m : parts) {
        if (m.matched && !previous && !out.empty()) {
          out.back().end = m.end;
        } else {
          out.push_back(m);
        }
        previous = m.matched;
      }
      break;
    }
    case SplitBehavior::kMergedWithNext: {
      bool previous = false;
      for (auto m = parts.rbegin(); m != parts.rend(); ++m) {
        if (m->matched && !previous && !out.empty()) {
          out.back().begin = m->begin;
        } else {
          out.push_back(*m);
        }
        previous = m->matched;
      }
      std::reverse(out.begin(), out.end());
      break;
    }
  }
  parts = std::move(out);
}

// Writes the pieces anew, each by `write(piece, first, out)`.
template <class Write>
void Rewrite(Pieces& pieces, Write write) {
  std::string out;
  out.reserve(pieces.text.size() + pieces.text.size() / 4);
  for (Span& span : pieces.spans) {
    const size_t begin = out.size();
    write(pieces.text.substr(span.begin, span.end - span.begin), span.first, out);
    span.begin = begin;
    span.end = out.size();
  }
  pieces.storage = std::move(out);
  pieces.text = pieces.storage;
}

}  // namespace

Matches RegexMatches(Regex regex) {
  return [regex = std::move(regex)](absl::string_view text, std::vector<Match>& parts) {
    size_t done = 0;
    RETURN_IF_ERROR(regex.ForEach(text, [&](size_t begin, size_t end) {
      if (begin > done) parts.push_back({done, begin, false});
      parts.push_back({begin, end, true});
      done = end;
    }));
    if (done < text.size()) parts.push_back({done, text.size(), false});
    return absl::OkStatus();
  };
}

Matches LiteralMatches(std::string literal) {
  return [literal = std::move(literal)](absl::string_view text, std::vector<Match>& parts) {
    size_t done = 0;
    for (size_t at; !literal.empty() && (at = text.find(literal, done)) != absl::string_view::npos;) {
      if (at > done) parts.push_back({done, at, false});
      done = at + literal.size();
      parts.push_back({at, done, true});
    }
    if (done < text.size()) parts.push_back({done, text.size(), false});
    return absl::OkStatus();
  };
}

Matches CharMatches(bool (*is)(char32_t)) {
  return [is](absl::string_view text, std::vector<Match>& parts) {
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    size_t done = 0;
    for (const char* p = begin; p < end;) {
      const Utf8Char c = CharAt(p, end);
      const auto at = static_cast<size_t>(p - begin);
      p += c.length;
      if (!is(c.code)) continue;
      if (at > done) parts.push_back({done, at, false});
      done = static_cast<size_t>(p - begin);
      parts.push_back({at, done, true});
    }
    if (done < text.size()) parts.push_back({done, text.size(), false});
    return absl::OkStatus();
  };
}

Matches ScannerMatches(PieceFunction scanner) {
  return [scanner](absl::string_view text, std::vector<Match>& parts) {
    for (size_t at = 0; at < text.size();) {
      const size_t length = scanner(text.data() + at, text.data() + text.size());
      parts.push_back({at, at + length, true});
      at += length;
    }
    return absl::OkStatus();
  };
}

PieceStep SplitStep(Matches matches, SplitBehavior behavior, bool invert) {
  return [matches = std::move(matches), behavior, invert](Pieces& pieces) {
    pieces.work.clear();
    std::vector<Match> parts;
    for (const Span& span : pieces.spans) {
      parts.clear();
      RETURN_IF_ERROR(matches(pieces.text.substr(span.begin, span.end - span.begin), parts));
      if (invert) {
        for (Match& m : parts) m.matched = !m.matched;
      }
      Apply(behavior, parts);
      for (const Match& m : parts) {
        if (m.begin == m.end) continue;
        pieces.work.push_back({span.begin + m.begin, span.begin + m.end, span.first && m.begin == 0});
      }
    }
    pieces.spans.swap(pieces.work);
    return absl::OkStatus();
  };
}

PieceStep WhitespaceStep() {
  return SplitStep(
      [](absl::string_view text, std::vector<Match>& parts) {
        const char* const begin = text.data();
        const char* const end = begin + text.size();
        int last = -1;
        for (const char* p = begin; p < end;) {
          const Utf8Char c = CharAt(p, end);
          const int kind = IsSpace(c.code) ? 0 : IsWord(c.code) ? 1 : 2;
          const auto at = static_cast<size_t>(p - begin);
          p += c.length;
          if (kind != last) parts.push_back({at, at, kind == 0});
          parts.back().end = static_cast<size_t>(p - begin);
          last = kind;
        }
        return absl::OkStatus();
      },
      SplitBehavior::kRemoved);
}

PieceStep PrefixSpaceStep() {
  return [](Pieces& pieces) {
    Rewrite(pieces, [](absl::string_view piece, bool, std::string& out) {
      if (!absl::StartsWith(piece, " ")) out.push_back(' ');
      out.append(piece.data(), piece.size());
    });
    return absl::OkStatus();
  };
}

PieceStep ByteCharsStep() {
  return [](Pieces& pieces) {
    Rewrite(pieces, [](absl::string_view piece, bool, std::string& out) { AppendByteChars(piece, out); });
    return absl::OkStatus();
  };
}

PieceStep MetaspaceStep(std::string mark, PrependScheme prepend, bool split) {
  PieceStep cut = split ? SplitStep(LiteralMatches(mark), SplitBehavior::kMergedWithNext) : nullptr;
  return [mark = std::move(mark), prepend, cut = std::move(cut)](Pieces& pieces) {
    Rewrite(pieces, [&](absl::string_view piece, bool first, std::string& out) {
      const bool begins = absl::StartsWith(piece, mark) || absl::StartsWith(piece, " ");
      if (!begins && (prepend == PrependScheme::kAlways || (prepend == PrependScheme::kFirst && first)))
        out += mark;
      for (const char c : piece) {
        if (c == ' ') {
          out += mark;
        } else {
          out.push_back(c);
        }
      }
    });
    return cut ? cut(pieces) : absl::OkStatus();
  };
}

bool IsBertPunctuation(char32_t code) {
  if (code < 0x80) {
    return (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) ||
           (code >= 123 && code <= 126);
  }
  // Two characters that a later Unicode moved to other categories count as they did in Unicode 8.
  if (code == 0x166d || code == 0x111c9) return true;
  return IsPunctuation(code) && NotAfterUnicode8(code);
}

}  // namespace galley::tokenizer
