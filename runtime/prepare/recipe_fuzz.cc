// Any bytes as a recipe: no crash, faults on one line each, and
// what loads survives the round trip through its canonical text.
#include <cstddef>
#include <cstdint>

#include "runtime/base/check.h"
#include "runtime/models/families.h"
#include "runtime/recipe/identity.h"
#include "runtime/recipe/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galley;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const recipe::Rules rules = {models::RecipeFamilies()};
  const recipe::LoadResult first = recipe::LoadString(text, "fuzz.yaml", "/fuzz", rules);
  for (const recipe::Fault& fault : first.faults) {
    CHECK_EQ(recipe::FormatFault(fault).find('\n'), std::string::npos);
  }
  CHECK_EQ(first.spec.has_value(), !recipe::HasErrors(first.faults));
  if (!first.spec) return 0;
  const recipe::LoadResult again = recipe::LoadText(first.text, rules);
  CHECK(again.spec.has_value()) << recipe::FormatFaults(again.faults) << first.text.canonical;
  CHECK_EQ(recipe::IdentityHash(*first.spec), recipe::IdentityHash(*again.spec));
  CHECK(recipe::Compare(*first.spec, *again.spec).empty());
  return 0;
}
