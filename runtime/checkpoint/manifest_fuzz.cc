// Whatever bytes a manifest has: they are refused, or the manifest can be written again and reads back
// the same. Bytes are tried as they are, and with the checksum that lets them through to the parser.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/checkpoint/manifest.h"

namespace {

void Try(absl::string_view text) {
  using namespace galley::checkpoint;
  auto manifest = ParseManifest(text);
  if (!manifest.ok()) return;
  auto again = ManifestText(*manifest);
  CHECK(again.ok()) << again.status().message();
  auto second = ParseManifest(*again);
  CHECK(second.ok()) << second.status().message();
  auto third = ManifestText(*second);
  CHECK(third.ok() && *third == *again);
  for (const auto& shard : manifest->shards) CHECK(shard.file.find('/') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Try(text);
  Try(absl::StrCat(text, "  \"xxh3\": \"", galley::Hex(galley::Hash64(text)), "\"\n}\n"));
  return 0;
}
