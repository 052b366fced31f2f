// Any bytes as a rank file and a text, parted by the last byte 0xff. The 256 bytes come first where the input
// begins with '+', so that merging is reached; what such a vocabulary encodes comes back.
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/tokenizer/tokenizer.h"

namespace {

std::string Bytes() {
  std::string ranks;
  for (int byte = 0; byte < 256; ++byte) {
    absl::StrAppend(&ranks, absl::Base64Escape(std::string(1, static_cast<char>(byte))), " ", byte, "\n");
  }
  return ranks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string* const bytes = new std::string(Bytes());
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.rfind('\xff');
  const std::string text = cut == std::string::npos ? "aab abab" : input.substr(cut + 1);
  std::string file = input.substr(0, cut);
  if (!file.empty() && file[0] == '+') file = *bytes + file.substr(1);
  constexpr absl::string_view kPatterns[] = {"gpt2", "cl100k", "llama3", "o200k", "tekken"};
  galley::tokenizer::TokenizerSpec spec;
  spec.pattern = std::string(kPatterns[size % std::size(kPatterns)]);
  const auto tokenizer = galley::tokenizer::MakeTiktokenTokenizer(file, "ranks", spec);
  if (!tokenizer.ok()) return 0;
  std::vector<int32_t> ids;
  CHECK((*tokenizer)->NewEncoder()->Encode(text, ids).ok());
  std::string back;
  CHECK((*tokenizer)->Decode(ids, back).ok());
  CHECK(back == text);
  return 0;
}
