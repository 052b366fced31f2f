#include "runtime/prepare/count.h"

#include <errno.h>
#include <stdlib.h>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"

namespace galley::prepare {

void CountPreparation() {
  const char* path = getenv("GALLEY_PREPARATIONS");
  if (path == nullptr || *path == '\0') return;
  absl::StatusOr<FileWriter> file = FileWriter::Open(path, FileWriter::Mode::kAppend);
  // A count that cannot be kept fails the test that asks for it, and no run.
  if (!file.ok() || !file->Write(absl::StrCat(program_invocation_short_name, "\n")).ok()) return;
  (void)file->Close();
}

}  // namespace galley::prepare
