#include "runtime/data/order/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/data/order/galley_order.h"
#include "runtime/data/store/testing.h"

// Reads of this program fail as a file server's do that is away, so many times.
static std::atomic<int> failing_reads{0};
extern "C" ssize_t pread(int fd, void* out, size_t size, off_t offset) {
  if (failing_reads > 0 && failing_reads-- > 0) {
    errno = EIO;
    return -1;
  }
  return ::syscall(SYS_pread64, fd, out, size, offset);
}

namespace galley::data {
namespace {

constexpr int64_t kLength = 16;

class LoaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteDataset(Path("a"), std::vector<int32_t>(200, 20), 251);
    WriteDataset(Path("b"), std::vector<int32_t>(70, 10), 251, TokenType::kI32);
    plan_ = *BuildDataPlan({.train = {{Path("a"), 3}, {Path("b"), 1}},
                            .split = {90, 10},
                            .seed = 3,
                            .sequence_length = kLength,
                            .vocab = 256,
                            .needs_valid = true});
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  std::unique_ptr<Loader> Make(LoaderOptions options) {
    auto loader = Loader::Create(plan_, options);
    EXPECT_TRUE(loader.ok()) << loader.status();
    return *std::move(loader);
  }
  // Samples [0, n) read by requests of `count`, in the order of the samples.
  std::vector<int32_t> ReadAll(int64_t n, LoaderOptions options, int64_t count) {
    std::unique_ptr<Loader> loader = Make(options);
    std::vector<int32_t> all;
    int64_t asked = 0;
    for (int64_t read = 0; read < n;) {
      while (asked < n && loader->FreeSlots() > 0) {
        loader->Request(asked, std::min(count, n - asked));
        asked += std::min(count, n - asked);
      }
      const int64_t now = std::min(count, n - read);
      std::vector<int32_t> tokens(static_cast<size_t>(now * kLength)), labels(tokens.size());
      EXPECT_TRUE(loader->Pop({tokens, labels}).ok());
      for (size_t i = 0; i < tokens.size(); ++i) {
        EXPECT_EQ(labels[i], (tokens[i] + 1) % 251) << "a label is the next token";
      }
      all.insert(all.end(), tokens.begin(), tokens.end());
      read += now;
    }
    return all;
  }
  TempDir dir_;
  DataPlan plan_;
};

TEST_F(LoaderTest, TheSameSamplesWhateverTheThreadsTheDepthAndTheChunks) {
  const std::vector<int32_t> expected = ReadAll(400, {.max_count = 1, .depth = 1, .threads = 1}, 1);
  EXPECT_EQ(ReadAll(400, {.max_count = 7, .depth = 3, .threads = 2}, 7), expected);
  EXPECT_EQ(ReadAll(400, {.max_count = 64, .depth = 5, .threads = 4}, 50), expected);
}

TEST_F(LoaderTest, TokensAreThoseOfTheOrder) {
  const std::vector<int32_t> read = ReadAll(100, {.max_count = 4}, 4);
  const GalleyOrder order(plan_, Split::kTrain);
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(read[static_cast<size_t>(i * kLength)], order.At(i).token % 251);
  }
}

TEST_F(LoaderTest, RanksAndMicroBatchesSeeTheSameSamplesOfAStep) {
  const std::vector<int32_t> expected = ReadAll(64, {.max_count = 64}, 64);
  for (const auto& [ranks, micro] : {std::pair(1, 4), std::pair(2, 2), std::pair(4, 4)}) {
    std::vector<int32_t> step(expected.size());
    for (int rank = 0; rank < ranks; ++rank) {
      std::unique_ptr<Loader> loader = Make({.max_count = micro, .depth = 2});
      for (int64_t m = 0; m < 64 / (ranks * micro); ++m) {
        const int64_t first = (m * ranks + rank) * micro;
        loader->Request(first, micro);
        const auto size = static_cast<size_t>(micro * kLength);
        std::vector<int32_t> labels(size);
        ASSERT_TRUE(
            loader->Pop({std::span(step).subspan(static_cast<size_t>(first * kLength), size), labels}).ok());
      }
    }
    EXPECT_EQ(step, expected) << ranks << " ranks of " << micro;
  }
}

// Documents of 20 and 10 tokens that count on from one another; every one of them begins at a known token.
TEST_F(LoaderTest, BordersByIndexAreThoseOfTheDocuments) {
  std::unique_ptr<Loader> loader =
      Make({.samples = {.mask = {.starts = true, .eod_loss = false}}, .max_count = 4});
  const GalleyOrder order(plan_, Split::kTrain);
  std::vector<int32_t> tokens(4 * kLength), labels(tokens.size()), starts(tokens.size());
  int64_t masked = 0;
  for (int64_t first = 0; first < 200; first += 4) {
    loader->Request(first, 4);
    ASSERT_TRUE(loader->Pop({tokens, labels, starts}).ok());
    for (int64_t position = 0; position < 4 * kLength; ++position) {
      const SampleLocation at = order.At(first + position / kLength);
      const int64_t document = at.source == 0 ? 20 : 10;
      const int64_t i = position % kLength;
      const int64_t within = (at.token + i) % document;
      const auto p = static_cast<size_t>(position);
      ASSERT_EQ(starts[p], std::max<int64_t>(i - within, 0));
      const bool last = within == document - 1;
      ASSERT_EQ(labels[p], last ? -1 : (tokens[p] + 1) % 251) << "nothing is predicted across a border";
      masked += last ? 1 : 0;
    }
  }
  EXPECT_GT(masked, 100);
}

TEST_F(LoaderTest, BordersByTheEodToken) {
  constexpr int32_t kEod = 5;
  std::unique_ptr<Loader> loader =
      Make({.samples = {.mask = {.starts = true, .eod_loss = false, .eod = kEod}}, .max_count = 4});
  std::vector<int32_t> tokens(4 * kLength), labels(tokens.size()), starts(tokens.size());
  int64_t masked = 0;
  for (int64_t first = 0; first < 200; first += 4) {
    loader->Request(first, 4);
    ASSERT_TRUE(loader->Pop({tokens, labels, starts}).ok());
    for (size_t p = 0; p < tokens.size(); ++p) {
      const size_t i = p % kLength;
      const int32_t want = i == 0 ? 0 : tokens[p - 1] == kEod ? static_cast<int32_t>(i) : starts[p - 1];
      ASSERT_EQ(starts[p], want);
      ASSERT_EQ(labels[p], tokens[p] == kEod ? -1 : (tokens[p] + 1) % 251);
      masked += tokens[p] == kEod ? 1 : 0;
    }
  }
  EXPECT_GT(masked, 5);
}

TEST_F(LoaderTest, ValidationReadsItsOwnSplit) {
  std::unique_ptr<Loader> loader = Make({.samples = {.split = Split::kValid}, .max_count = 8});
  const GalleyOrder order(plan_, Split::kValid);
  std::vector<int32_t> first(8 * kLength), again(first.size()), labels(first.size());
  loader->Request(0, 8);
  loader->Request(0, 8);
  ASSERT_TRUE(loader->Pop({first, labels}).ok());
  ASSERT_TRUE(loader->Pop({again, labels}).ok());
  EXPECT_EQ(first, again);
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_GE(order.At(i).token, plan_.sources[static_cast<size_t>(order.At(i).source)].stream[1].begin);
    EXPECT_EQ(first[static_cast<size_t>(i * kLength)], order.At(i).token % 251);
  }
  EXPECT_EQ(loader->SamplesHash(0, 8), order.SamplesHash(0, 8));
}

TEST_F(LoaderTest, ClearForgetsRequestsInFlight) {
  std::unique_ptr<Loader> loader = Make({.max_count = 32, .depth = 4, .threads = 2});
  std::mt19937 random(1);
  const std::vector<int32_t> expected = ReadAll(32, {.max_count = 32}, 32);
  std::vector<int32_t> tokens(32 * kLength), labels(tokens.size());
  for (int round = 0; round < 200; ++round) {
    for (int i = static_cast<int>(random() % 5); i > 0; --i) loader->Request(1000 + random() % 1000, 32);
    loader->Clear();
    EXPECT_EQ(loader->FreeSlots(), 4);
    loader->Request(0, 32);
    ASSERT_TRUE(loader->Pop({tokens, labels}).ok());
    ASSERT_EQ(tokens, expected);
  }
}

TEST_F(LoaderTest, AFailedReadNamesTheFileAndTheLoaderServesOn) {
  std::unique_ptr<Loader> loader = Make({.max_count = 1, .depth = 2});
  const std::string bin = ReadText(Path("a") + ".bin");
  ASSERT_EQ(::truncate((Path("a") + ".bin").c_str(), 0), 0);
  std::vector<int32_t> tokens(kLength), labels(kLength);
  loader->Request(0, 1);
  EXPECT_ERROR(loader->Pop({tokens, labels}), "a.bin: offset");
  WriteText(Path("a") + ".bin", bin);
  loader->Request(0, 1);
  EXPECT_TRUE(loader->Pop({tokens, labels}).ok());
}

TEST_F(LoaderTest, AReadThatFailsForAWhileIsTriedAgain) {
  const std::vector<int32_t> expected = ReadAll(8, {.max_count = 8}, 8);
  const Retry retry{
      .first = absl::Milliseconds(1), .most = absl::Milliseconds(4), .total = absl::Seconds(60)};
  std::unique_ptr<Loader> loader = Make({.max_count = 8, .retry = retry});
  failing_reads = 6;
  testing::internal::CaptureStderr();
  std::vector<int32_t> tokens(8 * kLength), labels(tokens.size());
  loader->Request(0, 8);
  ASSERT_TRUE(loader->Pop({tokens, labels}).ok());
  EXPECT_EQ(tokens, expected);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr(".bin: read at offset"));
  EXPECT_THAT(log, testing::HasSubstr("reads go on after"));
}

TEST_F(LoaderTest, AReadThatGoesOnFailingIsAnErrorInTime) {
  const Retry retry{
      .first = absl::Milliseconds(1), .most = absl::Milliseconds(4), .total = absl::Milliseconds(20)};
  std::unique_ptr<Loader> loader = Make({.max_count = 1, .retry = retry});
  failing_reads = 1 << 20;
  std::vector<int32_t> tokens(kLength), labels(kLength);
  loader->Request(0, 1);
  EXPECT_ERROR(loader->Pop({tokens, labels}), "tried again for 20ms");
  failing_reads = 0;
  loader->Request(0, 1);
  EXPECT_TRUE(loader->Pop({tokens, labels}).ok());
}

TEST_F(LoaderTest, AFailingReadDoesNotKeepAnyoneWaiting) {
  std::unique_ptr<Loader> loader = Make({.max_count = 1, .retry = {.first = absl::Hours(1)}});
  failing_reads = 1;
  loader->Request(0, 1);
  while (failing_reads > 0) std::this_thread::yield();
  loader->Clear();
  std::vector<int32_t> tokens(kLength), labels(kLength);
  loader->Request(0, 1);
  EXPECT_TRUE(loader->Pop({tokens, labels}).ok());
  failing_reads = 1;
  loader->Request(0, 1);
  while (failing_reads > 0) std::this_thread::yield();
  loader.reset();
}

TEST_F(LoaderTest, AnIdOutsideTheVocabularyIsNamedBeforeItReachesTheModel) {
  plan_.vocab = 200;
  std::unique_ptr<Loader> loader = Make({.max_count = 64});
  std::vector<int32_t> tokens(64 * kLength), labels(tokens.size());
  loader->Request(0, 64);
  EXPECT_ERROR(loader->Pop({tokens, labels}), "is outside the vocabulary of 200");
}

TEST_F(LoaderTest, FilesThatChangedSinceThePlanAreRefused) {
  WriteDataset(Path("b"), std::vector<int32_t>(70, 11), 251);
  EXPECT_ERROR(Loader::Create(plan_, {}).status(), "b: the files changed since the data plan was made");
  EXPECT_ERROR(Loader::Create(plan_, {.samples = {.split = Split::kTest}}).status(),
               "the test split holds no sample");
}

TEST_F(LoaderTest, WaitingIsMeasured) {
  std::unique_ptr<Loader> loader = Make({.max_count = 64});
  EXPECT_EQ(loader->waited(), absl::ZeroDuration());
  std::vector<int32_t> tokens(64 * kLength), labels(tokens.size());
  loader->Request(0, 64);
  ASSERT_TRUE(loader->Pop({tokens, labels}).ok());
  EXPECT_GT(loader->waited(), absl::ZeroDuration());
}

}  // namespace
}  // namespace galley::data
