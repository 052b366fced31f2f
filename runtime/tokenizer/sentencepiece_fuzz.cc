// Any bytes as a SentencePiece .model: no crash and no work without bound, whatever the file says.
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "runtime/base/check.h"
#include "runtime/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view model(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = galley::tokenizer::MakeSentencePieceTokenizer(model, "tokenizer.model", {});
  if (!tokenizer.ok()) return 0;
  std::vector<int32_t> ids;
  CHECK((*tokenizer)
            ->NewEncoder()
            ->Encode("It's  a test\n of \xe6\x97\xa5\xe6\x9c\xac <sep> 123 \xff", ids)
            .ok());
  std::string back;
  CHECK((*tokenizer)->Decode(ids, back).ok());
  return 0;
}
