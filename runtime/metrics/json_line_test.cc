#include "runtime/metrics/json_line.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "runtime/metrics/step_for_test.h"

namespace galley::metrics {
namespace {

TEST(JsonLine, TheLineIsTheContract) {
  StepRecord r = StepForTest(3);
  EXPECT_EQ(JsonLine(r),
            "{\"step\":3,\"attempt\":1,\"samples\":48,\"tokens\":12288,\"samples_hash\":\"fedcba9876543210\","
            "\"loss\":5.545177444479562,\"lr\":4e-05,\"grad_norm\":1.25,\"global_batch\":16,"
            "\"step_seconds\":0.5,\"data_seconds\":0,\"tokens_per_second\":8192,\"mfu\":null}");
  r.Set<"mfu">(0.5);
  r.Set<"validation_loss">(2.5);
  EXPECT_TRUE(absl::EndsWith(JsonLine(r), ",\"mfu\":0.5,\"validation_loss\":2.5}"));
}

TEST(JsonLine, DoublesReadBackTheSameAndWhatIsNotFiniteIsNull) {
  StepRecord r = StepForTest(1);
  r.Set<"loss">(0.1 + 0.2);
  r.Set<"grad_norm">(std::numeric_limits<double>::quiet_NaN());
  r.Set<"lr">(std::numeric_limits<double>::infinity());
  const auto json = nlohmann::json::parse(JsonLine(r));
  EXPECT_EQ(json["loss"].get<double>(), 0.1 + 0.2);
  EXPECT_TRUE(json["grad_norm"].is_null());
  EXPECT_TRUE(json["lr"].is_null());
}

TEST(JsonLine, ReadsBackWhatItWrote) {
  StepRecord r = StepForTest(3);
  r.Set<"samples">(int64_t{9007199254740993});  // no double
  r.Set<"loss">(0.1 + 0.2);
  r.Set<"validation_loss">(4.0);
  r.Set<"validation_sets">("wiki", 3.5);
  r.Set<"validation_sets">("code", 2.0);
  const std::string line = JsonLine(r);
  EXPECT_TRUE(absl::EndsWith(line, ",\"validation_loss\":4,\"validation_sets\":{\"wiki\":3.5,\"code\":2}}"));
  const std::optional<StepRecord> back = ReadJsonLine(line);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(JsonLine(*back), line);
  EXPECT_EQ(back->Get<"samples_hash">(), 0xfedcba9876543210);
  EXPECT_FALSE(back->Get<"mfu">().has_value()) << "null is not measured";
}

TEST(JsonLine, WhatIsNoStepIsNone) {
  for (const char* line : {"", "{\"step\":", "[]", "{\"loss\":2}", "{\"step\":\"3\"}"}) {
    EXPECT_FALSE(ReadJsonLine(line).has_value()) << line;
  }
  EXPECT_FALSE(ReadJsonLine("{\"step\":3,\"loss\":\"low\",\"new\":1}")->Get<"loss">().has_value());
}

}  // namespace
}  // namespace galley::metrics
