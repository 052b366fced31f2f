#define PCRE2_CODE_UNIT_WIDTH 8
#include "runtime/tokenizer/text/regex.h"

#include <pcre2.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr size_t kMaxPattern = 64 << 10;  // bytes
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr uint32_t kHeapLimitKib = 256 << 10;
constexpr absl::string_view kWordClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

std::string Message(int code) {
  char text[160] = {};
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof(text));
  return text;
}

absl::Status Refuse(absl::string_view pattern, absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat("pattern ", pattern, ": ", what, " is not supported"));
}

// The pattern as PCRE2 must read it.
absl::StatusOr<std::string> Rewrite(absl::string_view pattern, Regex::Dialect dialect) {
  const bool onig = dialect == Regex::Dialect::kOniguruma;
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\') {
      ++i;
      switch (next) {
        case 's':
          out += R"(\p{White_Space})";
          break;
        case 'S':
          out += R"(\P{White_Space})";
          break;
        case 'w':
          absl::StrAppend(&out, in_class ? "" : "[", kWordClass, in_class ? "" : "]");
          break;
        case 'W':
          if (in_class) return Refuse(pattern, "\\W inside a class");
          absl::StrAppend(&out, "[^", kWordClass, "]");
          break;
        case 'b':
          if (in_class) {
            out += "\\b";
          } else {
            absl::StrAppend(&out, "(?:(?<=[", kWordClass, "])(?![", kWordClass, "])|(?<![", kWordClass,
                            "])(?=[", kWordClass, "]))");
          }
          break;
        case 'B':
          return Refuse(pattern, "\\B");
        case 'h':
        case 'H':
          if (!onig) return Refuse(pattern, "\\h");
          if (next == 'H' && in_class) return Refuse(pattern, "\\H inside a class");
          absl::StrAppend(&out, in_class ? "" : next == 'H' ? "[^" : "[", "0-9A-Fa-f", in_class ? "" : "]");
          break;
        case 'u': {
          // \uHHHH; Rust also \u{H...}, which PCRE2 writes as \x{H...}.
          if (i + 1 < pattern.size() && pattern[i + 1] == '{') {
            out += "\\x";
            break;
          }
          const absl::string_view digits = pattern.substr(std::min(i + 1, pattern.size()), 4);
          if (digits.size() < 4) return Refuse(pattern, "a short \\u");
          absl::StrAppend(&out, "\\x{", digits, "}");
          i += 4;
          break;
        }
        case 'Q':
        case 'E':
        case 'C':
        case 'K':
        case 'N':
        case 'O':
        case 'g':
        case 'k':
        case 'M':
        case 'y':
        case 'Y':
        case 'c':
          return Refuse(pattern, absl::StrCat("\\", absl::string_view(&next, 1)));
        default:
          out.push_back(c);
          if (i < pattern.size()) out.push_back(next);
      }
    } else if (in_class) {
      const absl::string_view rest = pattern.substr(i);
      if (c == '[' && absl::StartsWith(rest, "[:")) {
        const size_t end = rest.find(":]");
        if (end == absl::string_view::npos) return Refuse(pattern, "'[:' inside a class");
        absl::StrAppend(&out, rest.substr(0, end + 2));
        i += end + 1;
      } else if (c == '[') {
        return Refuse(pattern, "a class inside a class");
      } else if ((c == '&' && next == '&') ||
                 (!onig && (absl::StartsWith(rest, "--") || absl::StartsWith(rest, "~~")))) {
        return Refuse(pattern, "an intersection or difference of classes");
      } else {
        in_class = c != ']';
        out.push_back(c);
      }
    } else if (c == '[') {
      in_class = true;
      out.push_back(c);
      if (next == '^') {
        out.push_back(next);
        ++i;
      }
      // Only PCRE2 takes a bracket at the beginning of a class for a member on all versions.
      if (i + 1 < pattern.size() && pattern[i + 1] == ']')
        return Refuse(pattern, "']' at the beginning of a class");
    } else if (c == '(' && next == '*') {
      return Refuse(pattern, "a verb in parentheses");
    } else if (c == '(' && next == '?') {
      // Flags: only i means the same everywhere.
      size_t at = i + 2;
      bool other_flag = false;
      while (at < pattern.size() &&
             (absl::ascii_isalpha(static_cast<unsigned char>(pattern[at])) || pattern[at] == '-')) {
        other_flag = other_flag || (pattern[at] != 'i' && pattern[at] != '-');
        ++at;
      }
      const bool flags = at > i + 2 && at < pattern.size() && (pattern[at] == ':' || pattern[at] == ')');
      if (flags && other_flag) return Refuse(pattern, "a flag other than i");
      out.push_back(c);
    } else if (c == '$' && !onig) {
      out += "\\z";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

absl::StatusOr<Regex> Regex::Compile(absl::string_view pattern, Dialect dialect) {
  if (pattern.size() > kMaxPattern) {
    return absl::InvalidArgumentError(absl::StrCat("a pattern of ", pattern.size(), " bytes is too long"));
  }
  if (!IsValidUtf8(pattern)) return absl::InvalidArgumentError("a pattern is no valid UTF-8");
  ASSIGN_OR_RETURN(const std::string text, Rewrite(pattern, dialect));
  auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE at = 0;
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  if (dialect == Dialect::kOniguruma) options |= PCRE2_MULTILINE;  // Ruby's ^ and $ are those of lines
  code->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options, &error, &at, nullptr);
  if (code->code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("pattern ", pattern, ": ", Message(error)));
  }
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);  // without it, matching is slower
  code->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(code->context, kMatchLimit);
  pcre2_set_heap_limit(code->context, kHeapLimitKib);
  Regex regex;
  regex.code_ = std::move(code);
  regex.pattern_ = std::string(pattern);
  return regex;
}

absl::Status Regex::ForEach(absl::string_view text, const std::function<void(size_t, size_t)>& found) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t at = 0; at < text.size();) {
    int rc = pcre2_match(code_->code, subject, text.size(), at, 0, match.get(), code_->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(code_->code, subject, text.size(), at, PCRE2_NO_JIT, match.get(), code_->context);
    }
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("pattern ", pattern_, " at byte ", at, " of a text: ", Message(rc)));
    }
    const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(match.get());
    if (range[1] > range[0]) {
      found(range[0], range[1]);
      at = range[1];
    } else {
      at = range[0];
      if (at >= text.size()) break;
      at += static_cast<size_t>(CharAt(text.data() + at, text.data() + text.size()).length);
    }
  }
  return absl::OkStatus();
}

}  // namespace galley::tokenizer
