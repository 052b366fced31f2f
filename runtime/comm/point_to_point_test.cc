// Send and Recv between two ranks of a group.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/comm/ranks_for_test.h"

namespace galley::comm {
namespace {

using testing::HasSubstr;

View Of(std::vector<float>& v) { return View(v.data(), DType::kF32, Shape{static_cast<int64_t>(v.size())}); }

std::vector<float> Numbered(size_t count, int start) {
  std::vector<float> v(count);
  for (size_t i = 0; i < count; ++i) v[i] = static_cast<float>((static_cast<size_t>(start) + i) % 9973);
  return v;
}

class PointToPointTest : public testing::TestWithParam<bool> {
 protected:
  void Run(int size, const std::function<std::string(Group&)>& body) const {
    UcxOptions options;
    options.shared_memory = GetParam();
    RunRanks(size, body, options);
  }
};
INSTANTIATE_TEST_SUITE_P(Transports, PointToPointTest, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "SharedMemory" : "Network"; });

TEST_P(PointToPointTest, MessagesOfEverySizeComeWholeAndInOrder) {
  Run(2, [](Group& group) -> std::string {
    const size_t sizes[] = {0, 1, 5'000'000, 3, 20'000, 0, 1'000'000, 17};
    int number = 0;
    for (int round = 0; round < 10; ++round) {
      for (size_t size : sizes) {
        std::vector<float> expected = Numbered(round == 0 ? size : size / 10, ++number);
        std::vector<float> got(expected.size(), -1);
        absl::Status status =
            group.rank() == 0 ? group.Send(Cpu(), Of(expected), 1) : group.Recv(Cpu(), Of(got), 0);
        EXPECT_TRUE(status.ok()) << status.ToString();
        if (group.rank() == 1) {
          EXPECT_EQ(got, expected) << "message " << number;
        }
      }
    }
    return "";
  });
}

TEST_P(PointToPointTest, SmallMessagesMayBeSentBeforeAnyIsReceived) {
  Run(2, [](Group& group) -> std::string {
    for (int i = 0; i < 100 && group.rank() == 0; ++i) {
      std::vector<float> message = Numbered(8, i);
      EXPECT_TRUE(group.Send(Cpu(), Of(message), 1).ok());
    }
    EXPECT_TRUE(group.Barrier().ok());  // collectives between them do not disturb
    for (int i = 0; i < 100 && group.rank() == 1; ++i) {
      std::vector<float> got(8);
      EXPECT_TRUE(group.Recv(Cpu(), Of(got), 0).ok());
      EXPECT_EQ(got, Numbered(8, i));
    }
    return "";
  });
}

TEST_P(PointToPointTest, OnceAroundARingOfThree) {
  Run(3, [](Group& group) -> std::string {
    const int next = (group.rank() + 1) % 3, previous = (group.rank() + 2) % 3;
    std::vector<float> token(300'000, 1);
    for (int round = 1; round <= 5; ++round) {
      if (group.rank() != 0) {
        EXPECT_TRUE(group.Recv(Cpu(), Of(token), previous).ok());
      }
      for (float& x : token) x += 1;
      EXPECT_TRUE(group.Send(Cpu(), Of(token), next).ok());
      if (group.rank() == 0) {
        EXPECT_TRUE(group.Recv(Cpu(), Of(token), previous).ok());
        EXPECT_EQ(token, std::vector<float>(token.size(), static_cast<float>(1 + 3 * round)));
      }
    }
    return "";
  });
}

TEST_P(PointToPointTest, AnotherSizeIsAnErrorThatNamesBothRanksAndBothSizes) {
  // Less and more than expected, small and large.
  const std::pair<size_t, size_t> cases[] = {
      {2, 3}, {3, 2}, {2, 1'000'000}, {1'000'000, 2}, {1'000'000, 1'000'001}, {1'000'001, 1'000'000}, {0, 1}};
  for (const auto& [sent, expected] : cases) {
    Run(2, [sent = sent, expected = expected](Group& group) -> std::string {
      std::vector<float> data(group.rank() == 0 ? sent : expected);
      if (group.rank() == 1) {
        absl::Status status = group.Recv(Cpu(), Of(data), 0);
        EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
        EXPECT_THAT(
            std::string(status.message()),
            HasSubstr(absl::StrCat("rank 0 sent ", 4 * sent, " bytes where rank 1 expects ", 4 * expected)));
        return "";
      }
      absl::Status status =
          group.Send(Cpu(), Of(data), 1);  // a small one is sent before the other rank objects
      status.Update(group.Barrier());
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 gave up"));
      return "";
    });
  }
}

TEST_P(PointToPointTest, WhoWaitsForARankThatHasLeftIsTold) {
  Run(2, [](Group& group) -> std::string {
    std::vector<float> data(1000, 2);
    if (group.rank() == 0) {
      EXPECT_TRUE(group.Send(Cpu(), Of(data), 1).ok());
      return "";  // and leaves
    }
    std::vector<float> got(1000);
    EXPECT_TRUE(group.Recv(Cpu(), Of(got), 0).ok()) << "what was sent before still comes";
    EXPECT_EQ(got, data);
    absl::Status status = group.Recv(Cpu(), Of(got), 0);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 has left the group"));
    return "";
  });
}

TEST(PointToPointDeathTest, NobodySendsToItselfOrPastTheGroup) {
  std::unique_ptr<Group> self = MakeSelfGroup();
  std::vector<float> data(1);
  EXPECT_DEATH(self->Send(Cpu(), Of(data), 0).IgnoreError(), "rank 0 in a group of one");
}

}  // namespace
}  // namespace galley::comm
