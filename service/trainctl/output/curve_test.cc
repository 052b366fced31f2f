#include "service/trainctl/output/curve.h"

#include <gtest/gtest.h>

#include "runtime/base/file.h"

namespace galley::trainctl {
namespace {

TEST(LossCurve, ShowsTheLastAttemptOfEachStepAndTheScale) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  ASSERT_TRUE(AtomicWrite(path,
                          "{\"step\":1,\"attempt\":1,\"loss\":5}\n"
                          "{\"step\":2,\"attempt\":1,\"loss\":99}\n"
                          "{\"step\":2,\"attempt\":2,\"loss\":3,\"validation_loss\":4}\n"
                          "torn")
                  .ok());
  const auto curve = LossCurve(path, {.columns = 2, .rows = 3});
  ASSERT_TRUE(curve.ok()) << curve.status();
  EXPECT_EQ(*curve,
            "loss, nats a token (* training, o validation)\n"
            "   5.000 |* \n"
            "   4.000 | o\n"
            "   3.000 | *\n"
            "         +--\n"
            "          step 1 2\n");
}

TEST(LossCurve, NothingRecordedIsNotFound) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  ASSERT_TRUE(AtomicWrite(path, "").ok());
  EXPECT_EQ(LossCurve(path).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace galley::trainctl
