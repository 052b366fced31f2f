// Steps that turn the texts of tokens back into a text, as Hugging Face's decoders do; but bytes that are no
// UTF-8 stay the bytes they are, so that a text can be decoded in parts.
#pragma once

#include <string>

#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/text/regex.h"

namespace galley::tokenizer {

DecodeStep ByteLevelDecode();                                      // visible characters back to bytes
DecodeStep ByteFallbackDecode();                                   // <0xXX> back to the byte
DecodeStep FuseDecode();                                           // all tokens as one
DecodeStep StripDecode(std::string content, int start, int stop);  // off each token's beginning and end
DecodeStep ReplaceDecode(std::string literal, std::string content);
DecodeStep ReplaceRegexDecode(Regex regex, std::string content);
// Marks become spaces; the first token's first mark goes where `prepended` says that it was put there.
DecodeStep MetaspaceDecode(std::string mark, bool prepended);
// Tokens apart by spaces but for those with the prefix; `cleanup` takes the spaces before punctuation back.
DecodeStep WordPieceDecode(std::string prefix, bool cleanup);
// The byte that a token <0xXX> stands for, or -1.
int ByteOfFallback(absl::string_view token);

}  // namespace galley::tokenizer
