#include "runtime/tokenizer/text/byte_chars.h"

#include <array>

#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

struct Tables {
  std::array<char32_t, 256> chars{};
  std::array<int16_t, 0x144> bytes{};  // 68 bytes have no visible character of their own: the last is U+0143
};

constexpr Tables kTables = [] {
  Tables t;
  t.bytes.fill(-1);
  char32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    t.chars[byte] = visible ? byte : next++;
    t.bytes[t.chars[byte]] = static_cast<int16_t>(byte);
  }
  return t;
}();

}  // namespace

char32_t CharOfByte(uint8_t byte) { return kTables.chars[byte]; }

int ByteOfChar(char32_t code) { return code < kTables.bytes.size() ? kTables.bytes[code] : -1; }

bool ToBytes(absl::string_view token, std::string& bytes) {
  bytes.clear();
  const char* const end = token.data() + token.size();
  for (const char* p = token.data(); p < end;) {
    const Utf8Char c = DecodeUtf8(p, end);
    const int byte = c.length == 0 ? -1 : ByteOfChar(c.code);
    if (byte < 0) return false;
    bytes.push_back(static_cast<char>(byte));
    p += c.length;
  }
  return true;
}

void AppendByteChars(absl::string_view bytes, std::string& out) {
  for (const char byte : bytes) AppendUtf8(CharOfByte(static_cast<uint8_t>(byte)), out);
}

}  // namespace galley::tokenizer
