// Any bytes as a recipe, through all checks and the plan: no crash, no overflow, and whoever gets the
// canonical text makes the same plan.
#include <cstddef>
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/prepare/prepare.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galley;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const recipe::LoadResult loaded = recipe::LoadString(text, "fuzz.yaml", "/fuzz", prepare::Rules());
  if (!loaded.spec) return 0;
  // A table of parameters may have a hundred thousand rows; that is slow here and proves nothing more.
  if (loaded.spec->model.layers > 100 || loaded.spec->launcher.nodes > 1000) return 0;
  const prepare::PrepareResult first = prepare::Prepare(loaded.text);
  const prepare::PrepareResult again = prepare::Prepare(loaded.text);
  CHECK(first.prepared && again.prepared) << recipe::FormatFaults(first.faults);
  CHECK_EQ(first.prepared->plan.hash, again.prepared->plan.hash);
  CHECK(!plan::ToTable(first.prepared->plan).empty());
  return 0;
}
