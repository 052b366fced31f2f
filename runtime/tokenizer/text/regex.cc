#define PCRE2_CODE_UNIT_WIDTH 8
#include "runtime/tokenizer/text/regex.h"

#include <pcre2.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr size_t kMaxPattern = 64 << 10;  // bytes
// A pattern from a tokenizer's file may backtrack without end on some text: here it stops with an error.
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr uint32_t kHeapLimitKib = 256 << 10;
constexpr absl::string_view kWordClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

std::string Message(int code) {
  char text[160] = {};
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof(text));
  return text;
}

// Writes a pattern as PCRE2 must read it. What PCRE2 would read otherwise than the pattern's own engine is
// rewritten, or refused where it cannot be: a pattern that is taken means the same in both.
class Rewriter {
 public:
  Rewriter(absl::string_view pattern, Regex::Dialect dialect)
      : pattern_(pattern), onig_(dialect == Regex::Dialect::kOniguruma) {}

  absl::StatusOr<std::string> Rewrite() {
    while (at_ < pattern_.size()) {
      RETURN_IF_ERROR(At(0) == '\\' ? Escape() : in_class_ ? InClass() : OutsideClass());
    }
    return std::move(out_);
  }

 private:
  // The character so many after the one at hand; NUL past the end.
  char At(size_t ahead) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  absl::Status Refuse(absl::string_view what) const {
    return absl::UnimplementedError(absl::StrCat("pattern ", pattern_, ": ", what, " is not supported"));
  }
  // Writes `text` instead of `length` characters of the pattern.
  absl::Status Put(absl::string_view text, size_t length) {
    absl::StrAppend(&out_, text);
    at_ += length;
    return absl::OkStatus();
  }
  absl::Status Copy() { return Put(pattern_.substr(at_, 1), 1); }
  // A class that stands alone, or its members where a class is open.
  absl::Status PutClass(absl::string_view members, bool negated) {
    if (in_class_) return Put(members, 2);
    return Put(absl::StrCat(negated ? "[^" : "[", members, "]"), 2);
  }

  absl::Status Escape() {
    const char c = At(1);
    switch (c) {
      case 's':
        return Put(R"(\p{White_Space})", 2);
      case 'S':
        return Put(R"(\P{White_Space})", 2);
      case 'w':
        return PutClass(kWordClass, false);
      case 'W':
        if (in_class_) return Refuse("\\W inside a class");
        return PutClass(kWordClass, true);
      case 'b':
        return WordBorder();
      case 'h':
      case 'H':
        if (!onig_) return Refuse("\\h");
        if (c == 'H' && in_class_) return Refuse("\\H inside a class");
        return PutClass("0-9A-Fa-f", c == 'H');
      case 'u':
        return CodePoint();
      default:
        if (c != '\0' && absl::StrContains("BQECKNOgkMyYc", c)) {
          return Refuse(absl::StrCat("\\", absl::string_view(&c, 1)));
        }
        return Put(pattern_.substr(at_, 2), 2);
    }
  }

  // PCRE2's \b knows another \w than ours.
  absl::Status WordBorder() {
    if (in_class_) return Put("\\b", 2);
    return Put(absl::StrCat("(?:(?<=[", kWordClass, "])(?![", kWordClass, "])|(?<![", kWordClass, "])(?=[",
                            kWordClass, "]))"),
               2);
  }

  // \uHHHH; Rust also \u{H...}, which PCRE2 writes as \x{H...}.
  absl::Status CodePoint() {
    if (At(2) == '{') return Put("\\x", 2);
    const absl::string_view digits = pattern_.substr(std::min(at_ + 2, pattern_.size()), 4);
    if (digits.size() < 4) return Refuse("a short \\u");
    return Put(absl::StrCat("\\x{", digits, "}"), 6);
  }

  absl::Status InClass() {
    const absl::string_view rest = pattern_.substr(at_);
    if (absl::StartsWith(rest, "[:")) {
      const size_t end = rest.find(":]");
      if (end == absl::string_view::npos) return Refuse("'[:' inside a class");
      return Put(rest.substr(0, end + 2), end + 2);
    }
    if (At(0) == '[') return Refuse("a class inside a class");
    if (absl::StartsWith(rest, "&&") ||
        (!onig_ && (absl::StartsWith(rest, "--") || absl::StartsWith(rest, "~~")))) {
      return Refuse("an intersection or difference of classes");
    }
    in_class_ = At(0) != ']';
    return Copy();
  }

  absl::Status OutsideClass() {
    if (At(0) == '[') return OpenClass();
    if (At(0) == '(' && At(1) == '*') return Refuse("a verb in parentheses");
    if (At(0) == '(' && At(1) == '?' && HasOtherFlag()) return Refuse("a flag other than i");
    if (At(0) == '$' && !onig_) return Put("\\z", 1);
    return Copy();
  }

  absl::Status OpenClass() {
    in_class_ = true;
    const size_t length = At(1) == '^' ? 2 : 1;
    RETURN_IF_ERROR(Put(pattern_.substr(at_, length), length));
    // Only PCRE2 takes a bracket at the beginning of a class for a member on all versions.
    return At(0) == ']' ? Refuse("']' at the beginning of a class") : absl::OkStatus();
  }

  // Whether "(?" begins flags of which one is not i: only i means the same everywhere.
  bool HasOtherFlag() const {
    size_t ahead = 2;
    bool other = false;
    for (; absl::ascii_isalpha(static_cast<unsigned char>(At(ahead))) || At(ahead) == '-'; ++ahead) {
      other = other || (At(ahead) != 'i' && At(ahead) != '-');
    }
    return other && ahead > 2 && (At(ahead) == ':' || At(ahead) == ')');
  }

  const absl::string_view pattern_;
  const bool onig_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

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
  if (!IsValidUtf8(pattern)) return absl::InvalidArgumentError("a pattern is not valid UTF-8");
  ASSIGN_OR_RETURN(const std::string text, Rewriter(pattern, dialect).Rewrite());
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
    // The compiled matcher has a small stack of its own; the interpreter has the heap up to the limit.
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
