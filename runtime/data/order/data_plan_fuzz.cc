// Whatever bytes stand where a checkpoint has its data plan or its lineage: they are refused, or written
// again they read back the same.
#include <cstdint>
#include <string>

#include "runtime/base/check.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/data/order/lineage.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galley::data;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (auto plan = ParseDataPlan(text); plan.ok()) {
    const std::string json = ToJson(*plan);
    const auto again = ParseDataPlan(json);
    CHECK(again.ok()) << again.status().message();
    CHECK(ToJson(*again) == json && Hash(*again) == Hash(*plan));
    CHECK(CheckResume(*plan, *again, 1).ok());
    for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) CHECK_GE(plan->Windows(split), 0);
  }
  if (auto lineage = ParseLineage(text); lineage.ok()) {
    const std::string json = ToJson(*lineage);
    const auto again = ParseLineage(json);
    CHECK(again.ok()) << again.status().message();
    CHECK(ToJson(*again) == json);
  }
  return 0;
}
