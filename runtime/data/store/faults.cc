#include "runtime/data/store/faults.h"

#include "absl/strings/str_cat.h"

namespace galley::data {

absl::Status Corrupt(absl::string_view path, int64_t offset, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(path, ": offset ", offset, ": ", what,
                                          "; make the data set again, or copy both of its files anew"));
}

absl::Status ChecksumDiffers(absl::string_view path, int64_t offset, int64_t size) {
  return absl::DataLossError(absl::StrCat(path, ": offset ", offset, ": the checksum of ", size,
                                          " bytes from here is not that of what was written; copy the file ",
                                          "anew, or make the data set again"));
}

}  // namespace galley::data
