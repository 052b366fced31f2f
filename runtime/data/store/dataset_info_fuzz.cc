// Any bytes as a data set's metadata and as a tokenisation's state. The checksum would turn away nearly all
// of them, so it is put right first; what is then read is written again and must be the same.
#include <string>

#include "runtime/base/check.h"
#include "runtime/data/ingest/tokenize_state.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/sealed_json.h"

namespace galley::data {
namespace {

void Check(absl::string_view text) {
  if (const auto info = ParseDatasetInfo(text, "x"); info.ok()) {
    const auto again = ParseDatasetInfo(ToJson(*info), "x");
    // A tokenizer without a name is not written.
    CHECK(again.ok()) << again.status().ToString();
    CHECK(info->origin.tokenizer.empty() || *again == *info) << text;
  }
  if (const auto state = ParseTokenizeState(text, "x"); state.ok()) {
    const auto again = ParseTokenizeState(ToJson(*state), "x");
    CHECK(again.ok()) << again.status().ToString();
    CHECK(again->written == state->written && again->identity.inputs == state->identity.inputs) << text;
  }
}

}  // namespace
}  // namespace galley::data

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  galley::data::Check(text);
  galley::data::Check(galley::data::Seal(std::string(text)));
  return 0;
}
