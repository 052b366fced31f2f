// Small data sets and files for the tests of runtime/data.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/data/store/indexed_dataset_writer.h"
#include "runtime/tokenizer/testing.h"

namespace galley::data {

inline void WriteText(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadText(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

// Documents of one sequence each; document d of length
// lengths[d] counts on from the one before, modulo `vocab`.
inline void WriteDataset(const std::string& prefix, const std::vector<int32_t>& lengths, int64_t vocab = 256,
                         TokenType type = TokenType::kU16) {
  auto writer = IndexedDatasetWriter::Create(prefix, type);
  ASSERT_TRUE(writer.ok()) << writer.status();
  int64_t next = 0;
  for (const int32_t length : lengths) {
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < length; ++i) tokens.push_back(static_cast<int32_t>(next++ % vocab));
    ASSERT_TRUE((*writer)->AddDocument(tokens).ok());
  }
  ASSERT_TRUE((*writer)->Finish().ok());
}

using tokenizer::SharedFile;

}  // namespace galley::data
