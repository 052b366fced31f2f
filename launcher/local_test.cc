#include <gtest/gtest.h>

#include "launcher/launcher.h"

namespace galley::launcher {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

Node TwoCores(std::string name) {
  Node node;
  node.name = std::move(name);
  node.cores = 2;
  node.memory_bytes = 8 * kGiB;
  return node;
}

TEST(Local, TakesTheFirstNodeWithEnoughFree) {
  const auto local = MakeLocal();
  Node busy = TwoCores("a");
  busy.busy_cores = 2;
  EXPECT_EQ(
      local->Poll({.ranks = 2, .threads_per_rank = 1, .bytes_per_rank = kGiB}, {busy, TwoCores("b")}).value(),
      (std::vector<Share>{{"b", {0, 1}}}));
}

TEST(Local, OneRunMayOversubscribeAnIdleNodeAndASecondWaits) {
  const auto local = MakeLocal();
  const Request four{.ranks = 4, .threads_per_rank = 1, .bytes_per_rank = kGiB};
  EXPECT_TRUE(local->Poll(four, {TwoCores("a")}).ok());
  Node busy = TwoCores("a");
  busy.busy_cores = 1;
  EXPECT_TRUE(absl::IsUnavailable(local->Poll(four, {busy}).status()));
  EXPECT_TRUE(absl::IsUnavailable(local->Poll({}, {busy}).status()));  // all cores are asked for
}

TEST(Local, NoNodeIsWaitedForAndTooMuchMemoryIsNot) {
  const auto local = MakeLocal();
  EXPECT_TRUE(absl::IsUnavailable(local->Poll({}, {}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      local->Poll({.ranks = 2, .threads_per_rank = 1, .bytes_per_rank = 5 * kGiB}, {TwoCores("a")})
          .status()));
}

}  // namespace
}  // namespace galley::launcher
