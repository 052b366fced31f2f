// Ids that the published tokenizers of Llama 3, Mistral-Nemo and Llama 2 give for texts that tell pipelines
// apart. (GPT-2's are in runtime/tokenizer/tokenizer_test.cc.) data/ holds excerpts of their
// vocabularies, enough for these texts; the whole files are tried where GALLEY_VOCABULARIES has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/tokenizer/testing.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/paths.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAreArray;
using Ids = std::vector<int32_t>;

struct Vector {
  std::string text;
  Ids llama3, nemo, llama2;  // without BOS; empty: not known
};

// clang-format off
const std::vector<Vector>& Vectors() {
  static const auto* const vectors = new std::vector<Vector>{
      {"Hello world",
       {9906, 1917},
       {22177, 4304},
       {15043, 3186}},
      {" leading",
       {6522},
       {8924},
       {29871, 8236}},
      {"1234567",
       {4513, 10961, 22},
       {1049, 1050, 1051, 1052, 1053, 1054, 1055},
       {29871, 29896, 29906, 29941, 29946, 29945, 29953, 29955}},
      {"   ",
       {262},
       {1293},
       {268}},
      {"日本語 café 🦙",
       {102433, 102158, 53050, 11410, 99, 247},
       {10008, 15199, 35858, 119685, 1166, 1153},
       {29871, 30325, 30346, 30968, 274, 28059, 29871, 243, 162, 169, 156}},
      {"\t\ttabs\r\nCRLF  ",
       {197, 3324, 3518, 319, 34, 81758, 256},
       {1009, 14133, 8217, 1013, 1010, 1067, 10397, 1070, 1256},
       {29871, 12, 12, 21175, 30004, 13, 29907, 2241, 29943, 259}},
      {"Hello  world\n\n  foo(123456) don't DON'T",
       {9906, 220, 1917, 271, 220, 15586, 7, 4513, 10961, 8, 1541, 956, 45373, 17773},
       {22177, 1032, 4304, 1267, 1032, 34377, 1040, 1049, 1050, 1051, 1052, 1053, 1054, 1041, 2607, 2405, 119801, 1039,
        1084},
       {15043, 29871, 3186, 13, 13, 29871, 7953, 29898, 29896, 29906, 29941, 29946, 29945, 29953, 29897, 1016, 29915,
        29873, 360, 1164, 29915, 29911}},
      {"<|endoftext|> x",
       {27, 91, 8862, 728, 428, 91, 29, 865},
       {1060, 1124, 1474, 2935, 2149, 1124, 1062, 2460},
       {}},
  };
  return *vectors;
}
// clang-format on

void Check(const TokenizerSpec& spec, Ids Vector::*ids) {
  const auto tokenizer = MakeTokenizer(spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto encoder = (*tokenizer)->NewEncoder();
  for (const Vector& vector : Vectors()) {
    if ((vector.*ids).empty()) continue;
    Ids got;
    ASSERT_TRUE(encoder->Encode(vector.text, got).ok());
    EXPECT_THAT(got, ElementsAreArray(vector.*ids)) << spec.file << ": " << vector.text;
    std::string back;
    ASSERT_TRUE((*tokenizer)->Decode(got, back).ok());
    EXPECT_EQ(back, vector.text) << spec.file;
  }
}

std::string Excerpt(const std::string& file) { return SourceDir() + "/tests/tokenizers/data/" + file; }

// A published file, empty when this machine has none.
std::string Published(const std::string& name) {
  const char* folder = std::getenv("GALLEY_VOCABULARIES");
  const std::string path = folder != nullptr ? std::string(folder) + "/" + name : "";
  return !path.empty() && FileExists(path) ? path : "";
}

TEST(VectorsTest, Llama3) {
  Check({.kind = TokenizerKind::kTiktoken, .file = Excerpt("llama3_excerpt.tiktoken"), .pattern = "llama3"},
        &Vector::llama3);
}

TEST(VectorsTest, Nemo) {
  Check({.kind = TokenizerKind::kTiktoken, .file = Excerpt("nemo_excerpt.tiktoken"), .pattern = "tekken"},
        &Vector::nemo);
}

TEST(VectorsTest, Llama2) {
  Check({.kind = TokenizerKind::kHuggingFace, .file = Excerpt("llama2_excerpt.json")}, &Vector::llama2);
}

TEST(VectorsTest, PublishedFiles) {
  int found = 0;
  if (const std::string path = Published("llama3.model"); !path.empty()) {
    Check({.kind = TokenizerKind::kTiktoken, .file = path}, &Vector::llama3);
    ++found;
  }
  if (const std::string path = Published("llama3_tokenizer.json"); !path.empty()) {
    Check({.kind = TokenizerKind::kHuggingFace, .file = path}, &Vector::llama3);
    ++found;
  }
  if (const std::string path = Published("tekken_240718.json"); !path.empty()) {
    Check({.kind = TokenizerKind::kTekken, .file = path}, &Vector::nemo);
    EXPECT_THAT((*MakeTokenizer({.kind = TokenizerKind::kTekken, .file = path}))->frame().before,
                ElementsAreArray({1}));
    ++found;
  }
  if (const std::string path = Published("llama2.model"); !path.empty()) {
    Check({.kind = TokenizerKind::kSentencePiece, .file = path}, &Vector::llama2);
    ++found;
  }
  if (const std::string path = Published("llama2_tokenizer.json"); !path.empty()) {
    Check({.kind = TokenizerKind::kHuggingFace, .file = path}, &Vector::llama2);
    ++found;
  }
  if (found == 0) GTEST_SKIP() << "GALLEY_VOCABULARIES names no folder with published vocabularies";
}

}  // namespace
}  // namespace galley::tokenizer
