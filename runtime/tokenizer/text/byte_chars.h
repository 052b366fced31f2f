// The visible character that stands for each byte in byte-level vocabularies: 33 to 126, 161 to 172 and 174
// to 255 stand for themselves, the other 68 bytes in order are U+0100 and on.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace galley::tokenizer {

char32_t CharOfByte(uint8_t byte);
int ByteOfChar(char32_t code);  // -1 for characters that stand for none

// The bytes that a token's characters stand for; false when one stands for none.
bool ToBytes(absl::string_view token, std::string& bytes);
// Appends the characters that stand for `bytes`.
void AppendByteChars(absl::string_view bytes, std::string& out);

}  // namespace galley::tokenizer
