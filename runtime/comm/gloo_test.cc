// Gloo as an oracle: an independent all-reduce over the same data in the same processes.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/comm/ranks_for_test.h"

#ifdef GALLEY_WITH_GLOO
#include <gloo/allreduce.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#endif

namespace galley::comm {
namespace {

class GlooTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, GlooTest, testing::Values(2, 3, 4));

#ifdef GALLEY_WITH_GLOO

std::vector<float> SumByGloo(Group& group, const std::string& dir, std::vector<float> data) {
  gloo::transport::tcp::attr attributes;
  attributes.hostname = "127.0.0.1";
  auto device = gloo::transport::tcp::CreateDevice(attributes);
  auto context = std::make_shared<gloo::rendezvous::Context>(group.rank(), group.size());
  gloo::rendezvous::FileStore store(dir);
  context->connectFullMesh(store, device);
  gloo::AllreduceOptions options(context);
  options.setOutput(data.data(), data.size());
  options.setReduceFunction(
      [](void* out, const void* a, const void* b, size_t n) { gloo::sum<float>(out, a, b, n); });
  gloo::allreduce(options);
  // Its sockets close with the context, which a slower rank must not take for the end of the process.
  EXPECT_TRUE(group.Barrier().ok());
  return data;
}

TEST_P(GlooTest, SumsTheSame) {
  TempDir dir;
  RunRanks(GetParam(), [&](Group& group) -> std::string {
    std::vector<float> data(250'007);
    for (size_t i = 0; i < data.size(); ++i) {
      data[i] = std::sin(static_cast<float>(i) * 0.37f + static_cast<float>(group.rank()));
    }
    std::vector<float> expected = SumByGloo(group, dir.path(), data);
    EXPECT_TRUE(
        group.AllReduceSum(Cpu(), View(data.data(), DType::kF32, Shape{static_cast<int64_t>(data.size())}))
            .ok());
    // Two orders of up to four terms of at most 1: at most a few roundings apart.
    float worst = 0;
    for (size_t i = 0; i < data.size(); ++i) worst = std::max(worst, std::abs(data[i] - expected[i]));
    EXPECT_LE(worst, 1e-6f);
    if (group.size() == 2) {
      EXPECT_EQ(data, expected);  // one addition has one order only
    }
    return "";
  });
}

#else

TEST_P(GlooTest, SumsTheSame) { GTEST_SKIP() << "built without libgloo-dev"; }

#endif

}  // namespace
}  // namespace galley::comm
