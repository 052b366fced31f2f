// Steps that change a text before it is cut, as Hugging Face's normalizers do.
#pragma once

#include <string>

#include "runtime/tokenizer/pipeline/pipeline.h"
#include "runtime/tokenizer/text/regex.h"

namespace galley::tokenizer {

// Characters that came after Unicode 9 stay as they are: Hugging Face's tables end there.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };
TextStep UnicodeStep(UnicodeForm form);

TextStep LowercaseStep();
TextStep StripAccentsStep();  // drops \p{M}
TextStep StripStep(bool left, bool right);
TextStep PrependStep(std::string prefix);  // unless the text is empty
TextStep ReplaceStep(std::string literal, std::string content);
TextStep ReplaceRegexStep(Regex regex, std::string content);
TextStep ByteCharsTextStep();

struct BertOptions {
  bool clean_text = true;            // control characters go, any whitespace is a space
  bool handle_chinese_chars = true;  // spaces around ideographs
  bool strip_accents = true;         // NFD, then without non-spacing marks
  bool lowercase = true;
};
TextStep BertStep(const BertOptions& options);

}  // namespace galley::tokenizer
