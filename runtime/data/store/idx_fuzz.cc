// Any bytes as .idx, with a .bin of some size: opening and reading must end in a value or an error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/data/store/indexed_dataset.h"
#include "runtime/data/tools/stats.h"

namespace {

// On tmpfs where there is one, since every input is a file.
std::string MakeFolder() {
  std::string path = access("/dev/shm", W_OK) == 0 ? "/dev/shm/idx_fuzz.XXXXXX" : "/tmp/idx_fuzz.XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr);
  return path;
}

void Put(const std::string& path, const void* data, size_t size) {
  FILE* file = fopen(path.c_str(), "wb");
  CHECK(file != nullptr);
  CHECK_EQ(fwrite(data, 1, size, file), size);
  fclose(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string* const folder = [] {
    auto* made = new std::string(MakeFolder());
    static std::string kept = *made;
    atexit([] { (void)galley::RemoveTree(kept); });
    return made;
  }();
  if (size < 1) return 0;
  const std::string prefix = *folder + "/set";
  Put(prefix + ".idx", data + 1, size - 1);
  Put(prefix + ".bin", std::string(data[0], '\1').data(), data[0]);
  const absl::StatusOr<galley::data::IndexedDataset> set = galley::data::IndexedDataset::Open(prefix);
  if (!set.ok()) return 0;
  const bool sound = set->Verify().ok();
  CHECK(set->Fingerprint().ok());
  int64_t next = 0;
  for (int64_t d = 0; d < set->documents(); ++d) {
    const auto range = set->DocumentTokens(d);
    CHECK(range.ok() || !sound);
    if (!range.ok()) continue;
    CHECK(!sound || range->begin == next);
    next = range->end;
    const auto tokens = set->ReadTokens(*range);
    CHECK(!tokens.ok() || static_cast<int64_t>(tokens->size()) == range->size());
  }
  CHECK(!sound || next == set->tokens());
  const absl::StatusOr<galley::data::DatasetStats> stats = galley::data::CountDataset(prefix, {});
  CHECK(!stats.ok() || stats->tokens == set->tokens());
  return 0;
}
