#include "runtime/data/ingest/jsonl.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/base/utf8.h"

namespace galley::data {
namespace {

constexpr int kMaxDepth = 128;  // Value recurses

// Bytes of a string that need no look: neither quote, backslash, control nor part of a longer character.
constexpr std::array<bool, 256> kOrdinary = [] {
  std::array<bool, 256> table{};
  for (int c = 0x20; c < 0x80; ++c) table[static_cast<size_t>(c)] = c != '"' && c != '\\';
  return table;
}();

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// One pass that builds nothing: every byte of a corpus goes
// through it, and all but one string of a line is only checked.
class Scanner {
 public:
  Scanner(absl::string_view line, absl::string_view key, std::string& storage)
      : begin_(line.data()), p_(line.data()), end_(line.data() + line.size()), key_(key), storage_(storage) {}

  absl::StatusOr<absl::string_view> Text() {
    SkipSpace();
    if (p_ == end_ || *p_ != '{') return Bad("the line is not a JSON object");
    RETURN_IF_ERROR(Object(1));
    SkipSpace();
    if (p_ != end_) return Bad("there is more after the object");
    if (!found_) return Bad(absl::StrCat("the object has no key '", key_, "'"));
    return text_;
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(p_ - begin_ + 1, ": ", what));
  }
  void SkipSpace() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
  }
  bool Take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }

  absl::Status Object(int depth) {
    ++p_;
    SkipSpace();
    if (Take('}')) return absl::OkStatus();
    while (true) {
      SkipSpace();
      absl::string_view name;
      bool escaped = false;
      RETURN_IF_ERROR(String(name, escaped));
      if (escaped) {
        RETURN_IF_ERROR(Unescape(name, key_storage_));
        name = key_storage_;
      }
      const bool wanted = depth == 1 && name == key_;
      SkipSpace();
      if (!Take(':')) return Bad("':' is missing");
      SkipSpace();
      if (wanted) {
        if (p_ == end_ || *p_ != '"') return Bad(absl::StrCat("the value of '", key_, "' is not a string"));
        found_ = true;
        RETURN_IF_ERROR(String(text_, escaped));
        if (escaped) {
          RETURN_IF_ERROR(Unescape(text_, storage_));
          text_ = storage_;
        }
      } else {
        RETURN_IF_ERROR(Value(depth));
      }
      SkipSpace();
      if (Take('}')) return absl::OkStatus();
      if (!Take(',')) return Bad("',' or '}' is missing");
    }
  }

  absl::Status Array(int depth) {
    ++p_;
    SkipSpace();
    if (Take(']')) return absl::OkStatus();
    while (true) {
      SkipSpace();
      RETURN_IF_ERROR(Value(depth));
      SkipSpace();
      if (Take(']')) return absl::OkStatus();
      if (!Take(',')) return Bad("',' or ']' is missing");
    }
  }

  absl::Status Value(int depth) {
    if (p_ == end_) return Bad("a value is missing");
    if (depth >= kMaxDepth && (*p_ == '{' || *p_ == '[')) {
      return Bad(absl::StrCat("more than ", kMaxDepth, " levels"));
    }
    switch (*p_) {
      case '{':
        return Object(depth + 1);
      case '[':
        return Array(depth + 1);
      case '"': {
        absl::string_view text;
        bool escaped = false;
        RETURN_IF_ERROR(String(text, escaped));
        return escaped ? Unescape(text, unused_) : absl::OkStatus();
      }
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  absl::Status Word(absl::string_view word) {
    if (absl::string_view(p_, static_cast<size_t>(end_ - p_)).substr(0, word.size()) != word) {
      return Bad("not a JSON value");
    }
    p_ += word.size();
    return absl::OkStatus();
  }

  bool Digits() {
    const char* const from = p_;
    while (p_ < end_ && IsDigit(*p_)) ++p_;
    return p_ > from;
  }

  absl::Status Number() {
    Take('-');
    if (!Take('0') && !Digits()) return Bad("not a JSON value");
    if (Take('.') && !Digits()) return Bad("digits are missing");
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (!Take('+')) Take('-');
      if (!Digits()) return Bad("digits are missing");
    }
    return absl::OkStatus();
  }

  // The inside of the string at p_, escapes not yet resolved or checked.
  absl::Status String(absl::string_view& text, bool& escaped) {
    if (!Take('"')) return Bad("a string is missing");
    const char* const from = p_;
    escaped = false;
    while (true) {
      while (p_ < end_ && kOrdinary[static_cast<unsigned char>(*p_)]) ++p_;
      if (p_ == end_) return Bad("the string does not end");
      if (*p_ == '"') break;
      if (*p_ == '\\') {
        escaped = true;
        p_ += 2;
        if (p_ > end_) {
          p_ = end_;
          return Bad("the string does not end");
        }
        // Whatever was escaped is checked by Unescape; a
        // character of several bytes is none of the known ones.
        continue;
      }
      if (static_cast<unsigned char>(*p_) < 0x20) return Bad("a control character in a string");
      const int length = DecodeUtf8(p_, end_).length;
      if (length == 0) return Bad("the text is not UTF-8");
      p_ += length;
    }
    text = absl::string_view(from, static_cast<size_t>(p_ - from));
    ++p_;
    return absl::OkStatus();
  }

  // Four hexadecimal digits at `at`; -1 for others.
  static int32_t Hex4(absl::string_view at) {
    if (at.size() < 4) return -1;
    int32_t value = 0;
    for (size_t i = 0; i < 4; ++i) {
      const char c = at[i];
      const int digit = IsDigit(c)             ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  absl::Status Unescape(absl::string_view text, std::string& out) {
    out.clear();
    while (!text.empty()) {
      const size_t plain = std::min(text.find('\\'), text.size());
      out.append(text.data(), plain);
      text.remove_prefix(plain);
      if (text.empty()) break;
      const char* const at = text.data();
      const char c = text.size() > 1 ? text[1] : '\0';
      text.remove_prefix(std::min<size_t>(2, text.size()));
      constexpr absl::string_view kFrom = "\"\\/bfnrt";
      constexpr absl::string_view kTo = "\"\\/\b\f\n\r\t";
      if (const size_t known = kFrom.find(c); known != absl::string_view::npos && c != '\0') {
        out.push_back(kTo[known]);
        continue;
      }
      int32_t code = c == 'u' ? Hex4(text) : -1;
      if (code >= 0) text.remove_prefix(4);
      if (code >= 0xd800 && code < 0xdc00 && text.substr(0, 2) == "\\u") {
        const int32_t low = Hex4(text.substr(2));
        if (low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          text.remove_prefix(6);
        }
      }
      if (code < 0 || (code >= 0xd800 && code < 0xe000)) {
        p_ = at;
        return Bad(code < 0 ? "an unknown escape" : "half a surrogate pair");
      }
      AppendUtf8(static_cast<char32_t>(code), out);
    }
    return absl::OkStatus();
  }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const absl::string_view key_;
  std::string& storage_;
  std::string key_storage_;
  std::string unused_;
  absl::string_view text_;
  bool found_ = false;
};

}  // namespace

absl::StatusOr<absl::string_view> JsonText(absl::string_view line, absl::string_view key,
                                           std::string& storage) {
  return Scanner(line, key, storage).Text();
}

}  // namespace galley::data
