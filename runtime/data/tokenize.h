// From text files to an indexed data set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tokenizer/framing.h"

namespace galley::data {

// What a document of a plain text is. Every document keeps the blank lines that follow it, so that the
// documents of a file, one after the other, are the file.
enum class DocumentUnit {
  kLine,       // a line
  kParagraph,  // lines up to a blank one
  kFile,
};

// kAuto: JSONL when the name (without .gz or .zst) ends in .jsonl, .ndjson or .json, else text.
enum class TextFormat { kAuto, kJsonl, kText };
bool IsJsonl(const std::string& path);  // by kAuto's rule

struct TokenizeProgress {
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t text_bytes = 0;   // decompressed
  int64_t input_bytes = 0;  // read from the files, as they lie on disk
  int64_t input_total = 0;
  double seconds = 0;
  double MegabytesPerSecond() const {
    return seconds > 0 ? static_cast<double>(text_bytes) / seconds / 1e6 : 0;
  }
  double SecondsLeft() const;  // by the share of the input; 0 when nothing is known yet
};

struct TokenizeOptions {
  std::vector<std::string> inputs;  // .gz and .zst are decompressed; order is kept
  std::string output;               // prefix of .bin and .idx
  TextFormat format = TextFormat::kAuto;
  std::string json_key = "text";
  DocumentUnit document = DocumentUnit::kParagraph;
  bool add_special_tokens = false;  // what the tokenizer's own template puts around a document
  bool append_eod = false;
  bool special_tokens_in_text = false;  // how the tokenizer was made, for the data set's metadata
  std::string tokenizer_fingerprint;    // TokenizerFingerprint, for the data set's metadata
  int workers = 1;
  // Called from the calling thread, about ten times a second and once at the end.
  std::function<void(const TokenizeProgress&)> progress;
};

// Megatron's naming: PREFIX_KEY_document.
std::string DatasetPrefix(const std::string& prefix, const std::string& json_key);

// Documents keep the order of the input, whatever the number of workers. A bad JSON line fails the whole with
// file:line; then no output appears. Memory is bounded by workers and by the longest document (1 GiB at
// most).
// An input without a document is an error.
absl::StatusOr<TokenizeProgress> Tokenize(const tokenizer::Tokenizer& tokenizer,
                                          const TokenizeOptions& options);

}  // namespace galley::data
