#include "service/controller/largest_ids.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct stat StatOf(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(stat(path.c_str(), &st), 0) << path;
  return st;
}

int64_t ChangeOf(const std::string& path) { return Nanoseconds(StatOf(path).st_ctim); }

class LargestIdsTest : public testing::Test {
 protected:
  LargestIdsTest() : prefix_(JoinPath(dir_.path(), "set")) {
    WriteDataset(prefix_);
    // Of a large data set the name is always newer than the last token, and the metadata than both; a clock
    // may be too coarse for this one.
    while (ChangeOf(prefix_ + ".bin") == Nanoseconds(StatOf(prefix_ + ".bin").st_mtim)) {
      if (chmod((prefix_ + ".bin").c_str(), 0644) != 0) abort();
    }
    Touch(data::DatasetInfoPath(prefix_));
    Settle();
  }
  // Until the clock of files has left the tick of the last change: younger ones are not remembered.
  void Settle() {
    struct timespec now {};
    do {
      clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (Nanoseconds(now) <= std::max(ChangeOf(prefix_ + ".bin"), ChangeOf(prefix_ + ".idx")));
  }
  // Long enough that its middle is in no hash of its ends.
  static void WriteDataset(const std::string& prefix) {
    auto writer = *data::IndexedDatasetWriter::Create(prefix, data::TokenType::kU16);
    std::vector<int32_t> tokens(200'000);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i % 300);
    ASSERT_TRUE(writer->AddDocument(tokens).ok());
    ASSERT_TRUE(writer->Finish().ok());
  }
  // Until the file's clock has moved on from whatever was written before.
  void Touch(const std::string& path) {
    const int64_t before = std::max(ChangeOf(path), ChangeOf(prefix_ + ".bin"));
    do {
      ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), nullptr, 0), 0);
    } while (ChangeOf(path) == before);
  }
  // One id in the middle of the .bin, seen by whoever reads it.
  void Write(uint16_t id) {
    std::fstream bin(prefix_ + ".bin", std::ios::in | std::ios::out | std::ios::binary);
    bin.seekp(100'000 * 2);
    bin.write(reinterpret_cast<const char*>(&id), sizeof id);
  }
  void Spoil() {
    Write(1000);
    Settle();
  }
  void RemoveMetadata() { ASSERT_EQ(unlink(data::DatasetInfoPath(prefix_).c_str()), 0); }

  absl::StatusOr<data::IdRange> Read(const data::IndexedDataset& dataset, int threads) {
    ++reads_;
    return data::ReadIdRange(dataset, threads);
  }
  absl::Status Check(int64_t vocab) { return ids_.Check(prefix_, vocab, 2); }

  const TempDir dir_;
  const std::string prefix_;
  std::atomic<int> reads_{0};
  LargestIds ids_{[this](const data::IndexedDataset& set, int threads) { return Read(set, threads); }};
};

TEST_F(LargestIdsTest, WhatIsWrittenBesideADataSetIsBelieved) {
  EXPECT_TRUE(Check(300).ok());
  EXPECT_TRUE(Check(301).ok());
  EXPECT_EQ(reads_, 0);
  EXPECT_THAT(std::string(Check(299).message()), HasSubstr("token id 299 (token 299"));
  EXPECT_EQ(reads_, 1);  // for where it stands
}

TEST_F(LargestIdsTest, ABinThatWasWrittenSinceIsRead) {
  EXPECT_TRUE(Check(300).ok());
  Spoil();
  EXPECT_THAT(std::string(Check(300).message()), HasSubstr("token id 1000 (token 100000"));
  EXPECT_THAT(std::string(Check(400).message()), HasSubstr("token id 1000 (token 100000"));
  EXPECT_TRUE(Check(1001).ok());
  EXPECT_EQ(reads_, 1);
}

TEST_F(LargestIdsTest, ACopyIsReadHoweverNewItsMetadataIs) {
  Spoil();
  const std::string copy = JoinPath(dir_.path(), "copy");
  for (const char* end : {".bin", ".galley.json", ".idx"}) {  // the order of cp
    std::ofstream(copy + end, std::ios::binary) << std::ifstream(prefix_ + end, std::ios::binary).rdbuf();
    if (std::string(end) == ".galley.json") Touch(copy + end);
  }
  ASSERT_GT(ChangeOf(copy + ".galley.json"), ChangeOf(copy + ".bin"));
  EXPECT_THAT(std::string(ids_.Check(copy, 300, 2).message()), HasSubstr("token id 1000 (token 100000"));
  Touch(data::DatasetInfoPath(prefix_));  // of the one that was changed where it lies
  EXPECT_THAT(std::string(Check(300).message()), HasSubstr("token id 1000 (token 100000"));
}

// Its modification is older than the metadata; what was put there was put there later.
TEST_F(LargestIdsTest, AnOlderBinInItsPlaceIsRead) {
  const std::string other = JoinPath(dir_.path(), "other");
  WriteDataset(other);
  Touch(data::DatasetInfoPath(prefix_));
  const int64_t before = ChangeOf(data::DatasetInfoPath(prefix_));
  do {
    ASSERT_EQ(rename((prefix_ + ".bin").c_str(), (other + ".old").c_str()), 0);
    ASSERT_EQ(rename((other + ".bin").c_str(), (prefix_ + ".bin").c_str()), 0);
    ASSERT_EQ(rename((other + ".old").c_str(), (other + ".bin").c_str()), 0);
  } while (ChangeOf(prefix_ + ".bin") == before);
  EXPECT_TRUE(Check(300).ok());
  EXPECT_EQ(reads_, 1);
}

TEST_F(LargestIdsTest, WithoutMetadataADataSetIsReadOnceForAllVocabularies) {
  RemoveMetadata();
  EXPECT_TRUE(Check(300).ok());
  EXPECT_TRUE(Check(300).ok());
  EXPECT_TRUE(Check(400).ok());
  EXPECT_THAT(std::string(Check(299).message()), HasSubstr("token id 299 (token 299"));
  EXPECT_TRUE(Check(300).ok());
  EXPECT_EQ(reads_, 1);
  Spoil();
  EXPECT_FALSE(Check(300).ok());
  EXPECT_EQ(reads_, 2);
}

TEST_F(LargestIdsTest, WhatFailsIsReadOnceToo) {
  RemoveMetadata();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Check(100).ok());
  EXPECT_TRUE(Check(300).ok());
  EXPECT_EQ(reads_, 1);
}

TEST_F(LargestIdsTest, WritesWithinATickOfTheClockAreSeen) {
  RemoveMetadata();
  for (int i = 0; i < 100; ++i) {
    const bool spoilt = i % 2 == 0;
    Write(spoilt ? 1000 : 1);
    ASSERT_EQ(Check(300).ok(), !spoilt) << i;
  }
}

TEST_F(LargestIdsTest, AVocabularyOfAllValuesNeedsNoRead) {
  RemoveMetadata();
  EXPECT_TRUE(Check(0x10000).ok());
  EXPECT_EQ(reads_, 0);
}

TEST_F(LargestIdsTest, AReadThatFailedIsDoneAgain) {
  RemoveMetadata();
  int reads = 0;
  LargestIds ids([&](const data::IndexedDataset& dataset, int threads) {
    if (++reads == 1) return absl::StatusOr<data::IdRange>(absl::UnavailableError("the disk is away"));
    return data::ReadIdRange(dataset, threads);
  });
  EXPECT_TRUE(absl::IsUnavailable(ids.Check(prefix_, 300, 1)));
  EXPECT_TRUE(ids.Check(prefix_, 300, 1).ok());
  EXPECT_EQ(reads, 2);
}

TEST_F(LargestIdsTest, SubmissionsAtTheSameTimeShareOneRead) {
  RemoveMetadata();
  constexpr int kSubmissions = 8;
  std::atomic<int> started{0}, reads{0}, fit{0};
  LargestIds ids([&](const data::IndexedDataset& dataset, int threads) {
    ++reads;
    while (started < kSubmissions) std::this_thread::yield();  // the others come while it is read
    return data::ReadIdRange(dataset, threads);
  });
  std::vector<std::thread> submissions;
  for (int i = 0; i < kSubmissions; ++i) {
    submissions.emplace_back([&, i] {
      ++started;
      if (ids.Check(prefix_, i % 2 == 0 ? 300 : 200, 1).ok()) ++fit;
    });
  }
  for (std::thread& submission : submissions) submission.join();
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(fit, kSubmissions / 2);
}

}  // namespace
}  // namespace galley::service
