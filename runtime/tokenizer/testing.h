// What tests of tokenizers and of what uses them share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/paths.h"

namespace galley::tokenizer {

// A file of the developers' collection of real vocabularies and texts; empty when this machine has none.
inline std::string SharedFile(const std::string& path) {
  const char* root = std::getenv("GALLEY_SHARED");
  const std::string full = (root != nullptr ? std::string(root) : SourceDir() + "/../shared") + "/" + path;
  return FileExists(full) ? full : "";
}

inline std::string ReadAll(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

inline std::vector<int32_t> Encode(const Tokenizer& tokenizer, absl::string_view text) {
  std::vector<int32_t> ids;
  EXPECT_TRUE(tokenizer.NewEncoder()->Encode(text, ids).ok());
  return ids;
}

inline std::string Decode(const Tokenizer& tokenizer, const std::vector<int32_t>& ids,
                          bool continued = false) {
  std::string text;
  EXPECT_TRUE(tokenizer.Decode(ids, text, continued).ok());
  return text;
}

}  // namespace galley::tokenizer

// Asserts that a status is an error whose message holds `part`.
#ifndef EXPECT_ERROR
#define EXPECT_ERROR(expression, part)                                                                   \
  do {                                                                                                   \
    const absl::Status error_ = (expression);                                                            \
    EXPECT_FALSE(error_.ok());                                                                           \
    EXPECT_NE(error_.message().find(part), absl::string_view::npos) << error_.message() << "\n" << part; \
  } while (false)
#endif
