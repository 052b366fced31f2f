#include "runtime/plan/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"

namespace galley::plan {
namespace {

using testing::HasSubstr;

Inventory Two() {
  Inventory v;
  v.nodes = {"a", "b"};
  v.ranks_per_node = 2;
  v.cores_per_node = 8;
  v.threads_per_rank = 4;
  v.instruction_set = "avx512_core_amx";
  v.devices.front().peak_flops["f32"] = 2.56e11;
  v.devices.front().peak_source = "32 f32 FLOP a cycle x 4 cores x 2.0 GHz";
  v.libraries = {{"dnnl", "2.6.3"}, {"ucx", "1.13.1"}};
  return v;
}

TEST(Inventory, SurvivesJson) {
  const auto back = InventoryFromJson(InventoryToJson(Two()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, Two());
  EXPECT_EQ(back->ranks(), 4);
  EXPECT_FALSE(back->PeakFor(recipe::Compute::kBF16).has_value());
  EXPECT_EQ(back->PeakFor(recipe::Compute::kF32), 2.56e11);
}

TEST(Inventory, DevicesOfRanksSurviveJson) {
  Inventory v = Two();
  EXPECT_EQ(InventoryToJson(v).find("devices"), std::string::npos);  // a plan of the host's own cores
  v.devices.assign(4, {});
  for (int rank = 0; rank < 4; ++rank) {
    v.devices[rank].uuid = "toy-" + std::to_string(rank);
    v.devices[rank].memory_bytes = int64_t{80} << 30;
    v.devices[rank].peak_flops = {{"bf16", 9.89e14}, {"f32", 6.7e13}};
    v.devices[rank].peak_source = "its vendor's table";
  }
  const auto back = InventoryFromJson(InventoryToJson(v));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, v);
  EXPECT_EQ(back->DeviceOf(3).uuid, "toy-3");
  EXPECT_EQ(back->PeakFor(recipe::Compute::kBF16), 9.89e14);
  const std::string unknown = absl::StrReplaceAll(InventoryToJson(v), {{"\"cpu\"", "\"abacus\""}});
  EXPECT_THAT(InventoryFromJson(unknown).status().message(), HasSubstr("devices[0].kind is abacus"));
  v.devices.pop_back();
  EXPECT_THAT(InventoryFromJson(InventoryToJson(v)).status().message(),
              HasSubstr("devices is not of 4 ranks"));
}

TEST(Inventory, NamesTheFieldThatIsWrong) {
  const std::string good = InventoryToJson(Two());
  EXPECT_THAT(InventoryFromJson("[]").status().message(), HasSubstr("not a JSON object"));
  EXPECT_THAT(InventoryFromJson(absl::StrReplaceAll(good, {{"\"nodes\"", "\"knots\""}})).status().message(),
              HasSubstr("nodes is missing"));
  EXPECT_THAT(InventoryFromJson(absl::StrReplaceAll(good, {{"\"ranks_per_node\":2", "\"ranks_per_node\":0"}}))
                  .status()
                  .message(),
              HasSubstr("ranks_per_node is 0"));
  EXPECT_THAT(
      InventoryFromJson(absl::StrReplaceAll(good, {{"2.56e+11", "\"fast\""}, {"256000000000.0", "\"fast\""}}))
          .status()
          .message(),
      HasSubstr("peak_flops_f32 is not a number"));
}

}  // namespace
}  // namespace galley::plan
