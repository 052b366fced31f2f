// The words for files of a data set that are damaged. Private to runtime/data.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace galley::data {

// kDataLoss: what `path` holds at `offset` cannot be so.
absl::Status Corrupt(absl::string_view path, int64_t offset, absl::string_view what);
// kDataLoss: the checksum of the `size` bytes at `offset` is another.
absl::Status ChecksumDiffers(absl::string_view path, int64_t offset, int64_t size);

}  // namespace galley::data
