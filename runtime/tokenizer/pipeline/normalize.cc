#include "runtime/tokenizer/pipeline/normalize.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/byte_chars.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

// Calls `take(character, bytes)` for each character.
template <class Take>
void ForEachChar(absl::string_view text, Take take) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Utf8Char c = CharAt(p, end);
    take(c.code, absl::string_view(p, static_cast<size_t>(c.length)));
    p += c.length;
  }
}

bool IsAscii(absl::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

void Append(absl::string_view bytes, std::string& out) { out.append(bytes.data(), bytes.size()); }

absl::Status NormalForm(absl::string_view text, UnicodeForm form, std::string& out) {
  if (IsAscii(text)) {
    Append(text, out);
    return absl::OkStatus();
  }
  int options = UTF8PROC_STABLE;
  options |= form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &raw, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(raw, std::free);
  if (length < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a text of ", text.size(), " bytes cannot be normalized: ", utf8proc_errmsg(length)));
  }
  out.append(reinterpret_cast<const char*>(raw), static_cast<size_t>(length));
  return absl::OkStatus();
}

// Small letters of Unicode 16 and 17 that utf8proc's tables do not hold.
char32_t NewLower(char32_t code) {
  if (code >= 0x10d50 && code <= 0x10d65) return code + 0x20;
  if (code >= 0x16ea0 && code <= 0x16eb8) return code + 0x1b;
  switch (code) {
    case 0x1c89:
    case 0xa7cc:
    case 0xa7ce:
    case 0xa7d2:
    case 0xa7d4:
    case 0xa7da:
      return code + 1;
    case 0xa7cb:
      return 0x264;
    case 0xa7dc:
      return 0x19b;
    default:
      return code;
  }
}

void Lower(std::string& text) {
  if (IsAscii(text)) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return;
  }
  std::string out;
  out.reserve(text.size());
  ForEachChar(text, [&](char32_t code, absl::string_view) {
    const auto lower = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
    AppendUtf8(code == 0x130 ? U'i' : lower != code ? lower : NewLower(code), out);
    if (code == 0x130) AppendUtf8(0x307, out);  // a capital I with a dot keeps the dot
  });
  text = std::move(out);
}

// By Unicode 8, in which two of today's spacing marks did not space.
bool IsNonSpacing(char32_t code) {
  if (code == 0x1cf2 || code == 0x1cf3) return true;
  return CategoryOf(code) == Category::Mn && NotAfterUnicode8(code) && code != 0x111c9;
}

bool IsIdeograph(char32_t c) {
  return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0x2f800 && c <= 0x2fa1f);
}

// Control, format and private characters, as Unicode 8 had them.
bool IsDropped(char32_t code) {
  if (code == 0 || code == kReplacement) return true;
  const Category category = CategoryOf(code);
  return category == Category::Cc || category == Category::Co ||
         (category == Category::Cf && NotAfterUnicode8(code));
}

}  // namespace

TextStep UnicodeStep(UnicodeForm form) {
  return [form](std::string& text) {
    if (IsAscii(text)) return absl::OkStatus();
    std::string out;
    out.reserve(text.size());
    // A later character parts the text: for old tables it is a character like any other.
    size_t begin = 0, at = 0;
    absl::Status status;
    ForEachChar(text, [&](char32_t code, absl::string_view bytes) {
      if (!NotAfterUnicode9(code) && status.ok()) {
        status = NormalForm(absl::string_view(text).substr(begin, at - begin), form, out);
        Append(bytes, out);
        begin = at + bytes.size();
      }
      at += bytes.size();
    });
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(NormalForm(absl::string_view(text).substr(begin), form, out));
    text = std::move(out);
    return absl::OkStatus();
  };
}

TextStep LowercaseStep() {
  return [](std::string& text) {
    Lower(text);
    return absl::OkStatus();
  };
}

TextStep StripAccentsStep() {
  return [](std::string& text) {
    std::string out;
    ForEachChar(text, [&](char32_t code, absl::string_view bytes) {
      if (ClassOf(code) != CharClass::kMark || !NotAfterUnicode9(code)) Append(bytes, out);
    });
    text = std::move(out);
    return absl::OkStatus();
  };
}

TextStep StripStep(bool left, bool right) {
  return [left, right](std::string& text) {
    size_t first = std::string::npos, last = 0, at = 0;
    ForEachChar(text, [&](char32_t code, absl::string_view bytes) {
      if (!IsSpace(code)) {
        if (first == std::string::npos) first = at;
        last = at + bytes.size();
      }
      at += bytes.size();
    });
    if (first == std::string::npos) {
      if (left || right) text.clear();
      return absl::OkStatus();
    }
    if (right) text.resize(last);
    if (left) text.erase(0, first);
    return absl::OkStatus();
  };
}

TextStep PrependStep(std::string prefix) {
  return [prefix = std::move(prefix)](std::string& text) {
    if (!text.empty()) text.insert(0, prefix);
    return absl::OkStatus();
  };
}

TextStep ReplaceStep(std::string literal, std::string content) {
  return [literal = std::move(literal), content = std::move(content)](std::string& text) {
    if (!literal.empty()) text = absl::StrReplaceAll(text, {{literal, content}});
    return absl::OkStatus();
  };
}

TextStep ReplaceRegexStep(Regex regex, std::string content) {
  return [regex = std::move(regex), content = std::move(content)](std::string& text) {
    std::string out;
    size_t done = 0;
    RETURN_IF_ERROR(regex.ForEach(text, [&](size_t begin, size_t end) {
      out.append(text, done, begin - done);
      out += content;
      done = end;
    }));
    out.append(text, done);
    text = std::move(out);
    return absl::OkStatus();
  };
}

TextStep ByteCharsTextStep() {
  return [](std::string& text) {
    std::string out;
    AppendByteChars(text, out);
    text = std::move(out);
    return absl::OkStatus();
  };
}

TextStep BertStep(const BertOptions& options) {
  return [options, nfd = UnicodeStep(UnicodeForm::kNfd)](std::string& text) {
    std::string out;
    out.reserve(text.size());
    ForEachChar(text, [&](char32_t code, absl::string_view bytes) {
      const bool blank = code == '\t' || code == '\n' || code == '\r';
      if (options.clean_text) {
        if (!blank && IsDropped(code)) return;
        if (blank || IsSpace(code)) return out.push_back(' ');
      }
      const bool ideograph = options.handle_chinese_chars && IsIdeograph(code);
      if (ideograph) out.push_back(' ');
      Append(bytes, out);
      if (ideograph) out.push_back(' ');
    });
    text = std::move(out);
    if (options.strip_accents && !IsAscii(text)) {
      RETURN_IF_ERROR(nfd(text));
      out.clear();
      ForEachChar(text, [&](char32_t code, absl::string_view bytes) {
        if (!IsNonSpacing(code)) Append(bytes, out);
      });
      text = out;
    }
    if (options.lowercase) Lower(text);
    return absl::OkStatus();
  };
}

}  // namespace galley::tokenizer
