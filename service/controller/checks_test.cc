#include "service/controller/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "runtime/base/file.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

class LargestIdsTest : public testing::Test {
 protected:
  // Long enough that its middle is no part of the fingerprint.
  LargestIdsTest() : prefix_(JoinPath(dir_.path(), "set")) {
    auto writer = *data::IndexedDatasetWriter::Create(prefix_, data::TokenType::kI32);
    std::vector<int32_t> tokens(200'000);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i % 300);
    EXPECT_TRUE(writer->AddDocument(tokens).ok());
    EXPECT_TRUE(writer->Finish().ok());
  }
  absl::Status Check(int64_t vocab) { return ids_.Check(*data::IndexedDataset::Open(prefix_), vocab, 2); }
  // Seen by whoever reads the tokens.
  void Spoil() {
    std::fstream bin(prefix_ + ".bin", std::ios::in | std::ios::out | std::ios::binary);
    const int32_t id = 1000;
    bin.seekp(100'000 * 4);
    bin.write(reinterpret_cast<const char*>(&id), sizeof id);
  }

  const TempDir dir_;
  const std::string prefix_;
  LargestIds ids_;
};

TEST_F(LargestIdsTest, WhatIsWrittenBesideADataSetIsBelieved) {
  Spoil();
  EXPECT_TRUE(Check(300).ok());
  EXPECT_THAT(std::string(Check(299).message()), HasSubstr("token id 299 (token 299"));
}

TEST_F(LargestIdsTest, WithoutMetadataADataSetIsReadOnce) {
  ASSERT_EQ(unlink(data::DatasetInfoPath(prefix_).c_str()), 0);
  EXPECT_TRUE(Check(300).ok());
  Spoil();
  EXPECT_TRUE(Check(300).ok());
  EXPECT_TRUE(Check(400).ok());
  EXPECT_FALSE(Check(299).ok());
  LargestIds of_another_controller;
  const absl::Status read = of_another_controller.Check(*data::IndexedDataset::Open(prefix_), 300, 2);
  EXPECT_THAT(std::string(read.message()), HasSubstr("token id 1000 (token 100000"));
}

}  // namespace
}  // namespace galley::service
