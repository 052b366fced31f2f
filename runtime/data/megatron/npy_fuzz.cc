// Any bytes as a .npy file: its header is read or refused, and what is read holds.
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/data/megatron/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::string_view begin = bytes.substr(0, galley::data::kMaxNpyHeader);
  const auto header = galley::data::ParseNpyHeader(begin, static_cast<int64_t>(size));
  if (!header.ok()) return 0;
  CHECK(header->item == 1 || header->item == 2 || header->item == 4 || header->item == 8);
  CHECK(header->shape.size() == 1 || header->shape.size() == 2);
  CHECK_EQ(header->data + header->values * header->item, static_cast<int64_t>(size));
  return 0;
}
