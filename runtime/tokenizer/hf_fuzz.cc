// Any bytes as tokenizer.json and a text, parted by the last byte 0xff, which no UTF-8 holds: no crash and no
// work without bound, whatever the file says.
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "runtime/base/check.h"
#include "runtime/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.rfind('\xff');
  const absl::string_view text =
      cut == absl::string_view::npos ? "It's a test,  of 123 words\n" : input.substr(cut + 1);
  galley::tokenizer::TokenizerSpec spec;
  spec.special_tokens_in_text = size % 2 == 0;
  const auto tokenizer =
      galley::tokenizer::MakeHuggingFaceTokenizer(input.substr(0, cut), "tokenizer.json", spec);
  if (!tokenizer.ok()) return 0;
  std::vector<int32_t> ids;
  if (!(*tokenizer)->NewEncoder()->Encode(text.substr(0, 4096), ids).ok()) return 0;
  std::string back;
  CHECK((*tokenizer)->Decode(ids, back).ok());
  return 0;
}
