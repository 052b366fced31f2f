// What tests of tokenizers and of what uses them share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
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
