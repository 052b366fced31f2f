// Which ranks may connect, which are refused, and the errors that the others get.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/comm/monotonic.h"
#include "runtime/comm/ranks_for_test.h"

namespace galley::comm {
namespace {

UcxOptions OfAttempt(uint64_t cookie) {
  UcxOptions options;
  options.cookie = cookie;
  options.connect_timeout = absl::Seconds(20);
  return options;
}

TEST(Connecting, AnAddressOfAnotherAttemptIsRefusedByName) {
  TestRanks ranks(2, [](int rank, const TestLine& line) {
    auto endpoint = MakeEndpoint(OfAttempt(rank == 0 ? 7 : 8));
    auto group = endpoint->Connect(rank, TradeAddresses(line, endpoint->address(), 2));
    ASSERT_EQ(group.status().code(), absl::StatusCode::kFailedPrecondition) << group.status().ToString();
    EXPECT_THAT(std::string(group.status().message()),
                testing::HasSubstr("rank " + std::to_string(1 - rank) + " belongs to another attempt"));
  });
  ranks.PassAddresses();
  ranks.ExpectAllEndWell();
}

// The cookie follows the four bytes of the magic.
std::string WithCookieOf(const std::string& from, std::string address) {
  return address.replace(4, 8, from, 4, 8);
}

TEST(Connecting, AnIntruderOfAnotherAttemptStaysOutAndTheRealRankGetsIn) {
  // Process 2 is a rank 1 of an older attempt that has the addresses of the new one and alters their cookies.
  TestRanks ranks(3, [](int process, const TestLine& line) {
    auto endpoint = MakeEndpoint(OfAttempt(process == 2 ? 6 : 7));
    std::vector<std::string> addresses = TradeAddresses(line, endpoint->address(), 3);
    if (process == 2) {
      auto group =
          endpoint->Connect(1, {WithCookieOf(endpoint->address(), addresses[0]), endpoint->address()});
      EXPECT_EQ(group.status().code(), absl::StatusCode::kUnavailable) << group.status().ToString();
      line.SendText("refused");
      return;
    }
    if (process == 1) line.RecvText();  // the intruder goes first
    auto group = endpoint->Connect(process, {addresses[0], addresses[1]});
    ASSERT_TRUE(group.ok()) << group.status().ToString();
    int64_t value = process;
    ASSERT_TRUE((*group)->AllReduceMax(Cpu(), View(&value, DType::kI64, Shape{1})).ok());
    EXPECT_EQ(value, 1);
  });
  ranks.PassAddresses();
  EXPECT_EQ(ranks.line(2).RecvText(), "refused");
  ranks.line(1).SendText("go");
  ranks.ExpectAllEndWell();
}

TEST(Connecting, AMissingRankIsNamedWhenTimeIsUp) {
  for (bool shared_memory : {true, false}) {
    TestRanks ranks(3, [&](int rank, const TestLine& line) {
      UcxOptions options;
      options.shared_memory = shared_memory;
      options.connect_timeout = absl::Milliseconds(300);
      auto endpoint = MakeEndpoint(options);
      std::vector<std::string> addresses = TradeAddresses(line, endpoint->address(), 3);
      if (rank != 0) {  // has an address, but never connects
        line.RecvText();
        return;
      }
      auto group = endpoint->Connect(rank, addresses);
      EXPECT_EQ(group.status().code(), absl::StatusCode::kDeadlineExceeded) << group.status().ToString();
      EXPECT_THAT(std::string(group.status().message()),
                  testing::HasSubstr("no answer from rank 1, 2 within 300ms"));
    });
    ranks.PassAddresses();
    EXPECT_TRUE(ranks.Wait(0));
    ranks.line(1).SendText("end");
    ranks.line(2).SendText("end");
    ranks.ExpectAllEndWell();
  }
}

TEST(Connecting, APeerThatDiedBeforeIsAnErrorAtOnce) {
  for (bool shared_memory : {true, false}) {
    TestRanks ranks(2, [&](int rank, const TestLine& line) {
      UcxOptions options;
      options.shared_memory = shared_memory;
      auto endpoint = MakeEndpoint(options);
      std::vector<std::string> addresses = TradeAddresses(line, endpoint->address(), 2);
      if (rank == 0) return;
      line.RecvText();
      int64_t start = MonotonicNs();
      auto group = endpoint->Connect(rank, addresses);
      EXPECT_EQ(group.status().code(), absl::StatusCode::kUnavailable) << group.status().ToString();
      EXPECT_THAT(std::string(group.status().message()), testing::HasSubstr("rank 0"));
      EXPECT_LT(MonotonicNs() - start, 2'000'000'000);
    });
    ranks.PassAddresses();
    EXPECT_TRUE(ranks.Wait(0));
    ranks.line(1).SendText("go");
    ranks.ExpectAllEndWell();
  }
}

TEST(Connecting, AGroupOfOneNeedsNobody) {
  RunRanks(1, [](Group& group) -> std::string {
    EXPECT_EQ(group.size(), 1);
    EXPECT_TRUE(group.Barrier().ok());
    return "";
  });
}

TEST(Connecting, NonsenseIsNoAddress) {
  TestRanks ranks(1, [](int, const TestLine&) {
    for (const char* nonsense : {"", "GLY1", "HTTP/1.1 400 Bad Request"}) {
      auto endpoint = MakeEndpoint();
      auto group = endpoint->Connect(0, {endpoint->address(), nonsense});
      EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument) << group.status().ToString();
    }
    auto endpoint = MakeEndpoint();
    EXPECT_EQ(endpoint->Connect(1, {endpoint->address()}).status().code(),
              absl::StatusCode::kInvalidArgument);
  });
  ranks.ExpectAllEndWell();
}

}  // namespace
}  // namespace galley::comm
