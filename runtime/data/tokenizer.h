// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::data {

// Encodes with buffers and a bounded cache of its own: one for each thread.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the ids of `text`. Any bytes are taken; decoding gives them back exactly.
  virtual void Encode(absl::string_view text, std::vector<int32_t>& ids) = 0;
};

// Immutable and thread-safe. Encoders must not outlive their tokenizer.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual absl::string_view kind() const = 0;  // "bytes", "gpt2"
  virtual int64_t vocab() const = 0;           // ids are in [0, vocab)
  // The end-of-document id; none where the vocabulary has no room for one.
  virtual std::optional<int32_t> eod() const = 0;
  virtual std::unique_ptr<Encoder> NewEncoder() const = 0;
  // Appends the bytes of `ids`; kOutOfRange names the first id that is no token. A sequence cut inside a
  // character leaves part of it.
  virtual absl::Status Decode(std::span<const int32_t> ids, std::string& text) const = 0;
};

struct TokenizerFiles {
  std::string kind;    // "bytes" or "gpt2"
  std::string vocab;   // gpt2: path of vocab.json
  std::string merges;  // gpt2: path of merges.txt
};

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TokenizerFiles& files);

// The command line's form: "bytes", or "gpt2:DIR" for DIR/vocab.json and DIR/merges.txt.
absl::StatusOr<TokenizerFiles> ParseTokenizer(absl::string_view argument);

// One id a byte.
std::unique_ptr<Tokenizer> MakeByteTokenizer();

// Byte-level BPE from the texts of vocab.json and merges.txt; `vocab_name` and `merges_name` stand in errors.
// Letters, numbers and spaces are those of Unicode 14.0.0.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeGpt2Tokenizer(absl::string_view vocab_json,
                                                             absl::string_view merges_txt,
                                                             absl::string_view vocab_name,
                                                             absl::string_view merges_name);

}  // namespace galley::data
