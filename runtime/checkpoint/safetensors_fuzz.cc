// Whatever bytes a safetensors file has: the header is refused, or it accounts for every byte of the
// file; and what it says of slices is refused, or they cover each tensor once.
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/checkpoint/shard.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galley::checkpoint;
  const absl::string_view file(reinterpret_cast<const char*>(data), size);
  auto header = ParseSafetensors(file, static_cast<int64_t>(size));
  if (!header.ok()) return 0;
  CHECK_EQ(header->file_bytes(), static_cast<int64_t>(size));
  int64_t at = 0;
  for (const StoredTensor& tensor : header->tensors) {
    CHECK_EQ(tensor.begin, at);
    CHECK_LE(tensor.begin, tensor.end);
    at = tensor.end;
  }
  // What was read can be written, and reads back the same.
  const std::string again = HeaderText(header->tensors, header->metadata);
  auto second = ParseSafetensors(again, static_cast<int64_t>(again.size()) + at);
  CHECK(second.ok()) << second.status().message();
  CHECK_EQ(second->tensors.size(), header->tensors.size());
  CHECK(second->metadata == header->metadata);

  auto index = IndexOf(*header);
  if (!index.ok()) return 0;
  auto tensors = AssembleTensors({*index});
  if (!tensors.ok()) return 0;
  for (const auto& [name, entry] : *tensors) {
    int64_t elements = 0;
    for (const TensorPart& part : entry.parts) elements += part.slice.elements();
    CHECK_EQ(elements, galley::plan::Slice::Whole(entry.shape).elements());
  }
  return 0;
}
