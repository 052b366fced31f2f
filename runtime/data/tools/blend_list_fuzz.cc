// Any bytes as a blend list of each kind: a list or an
// error, and what was read can be written and read again.
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/data/tools/blend_list.h"
#include "runtime/data/tools/blend_weights.h"

namespace {

void CheckList(const galley::data::BlendList& list, bool file_list) {
  CHECK(!list.entries.empty());
  std::string text;
  for (const auto& entry : list.entries) {
    CHECK(!entry.path.empty());
    CHECK(entry.weight >= 0);
    // Items of a JSON list may hold spaces or nothing, which no text can.
    if (entry.path.find_first_of(" \t\n\v\f\r") != std::string::npos) return;
    if (list.weighted) absl::StrAppend(&text, galley::data::NumberText(entry.weight), " ");
    absl::StrAppend(&text, entry.path, file_list ? " " : "", entry.corpus, "\n");
  }
  const auto again =
      file_list ? galley::data::ParseFileList(text, "again") : galley::data::ParseDataPath(text, "again");
  CHECK(again.ok()) << text << again.status().ToString();
  CHECK(again->entries == list.entries && again->weighted == list.weighted) << text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto list = galley::data::ParseDataPath(text, "x"); list.ok()) CheckList(*list, false);
  if (const auto list = galley::data::ParseFileList(text, "x"); list.ok()) CheckList(*list, true);
  if (const auto blends = galley::data::ParsePerSplit(text, "x"); blends.ok()) {
    for (const auto* blend : {&blends->train, &blends->valid, &blends->test}) {
      if (blend->has_value()) CheckList(**blend, false);
    }
  }
  return 0;
}
