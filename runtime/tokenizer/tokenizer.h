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
#include "runtime/tokenizer/kinds.h"

namespace galley::tokenizer {

// Encodes with buffers and a bounded cache of its own: one for each thread.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the ids of `text`, without what Frame puts around a document. Any bytes are taken. It fails where
  // the tokenizer's own rules have no answer (a pattern that goes past its limits, a missing unknown token);
  // `ids` is then unspecified.
  virtual absl::Status Encode(absl::string_view text, std::vector<int32_t>& ids) = 0;
};

// The ids that a tokenizer's own template puts around a document: BOS, EOS, [CLS] and [SEP].
struct Frame {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

// Immutable and thread-safe. Encoders must not outlive their tokenizer.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual TokenizerKind kind() const = 0;
  virtual int64_t vocab() const = 0;  // ids are in [0, vocab); a few of them may stand for nothing
  // The end-of-document id; none where the vocabulary has no such token.
  virtual std::optional<int32_t> eod() const = 0;
  virtual const Frame& frame() const = 0;
  virtual std::unique_ptr<Encoder> NewEncoder() const = 0;
  // Appends the bytes of `ids`; kOutOfRange names the first id that is no token. A sequence cut inside a
  // character leaves part of it. `continued`: the ids go on a text that was decoded before, so that what a
  // tokenizer takes off the beginning of a text stays.
  virtual absl::Status Decode(std::span<const int32_t> ids, std::string& text,
                              bool continued = false) const = 0;
};

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TokenizerSpec& spec);
// The end-of-document id alone; reads the same files.
absl::StatusOr<std::optional<int32_t>> ReadEod(const TokenizerSpec& spec);

// The command line's form: "bytes", "gpt2:DIR" for DIR/vocab.json and DIR/merges.txt, "KIND:FILE", or FILE
// alone, whose kind is told by its contents (no file is read before MakeTokenizer, but for this one).
absl::StatusOr<TokenizerSpec> ParseTokenizer(absl::string_view argument);

// The file or files that a tokenizer is read from, for messages.
std::vector<std::string> FilesOf(const TokenizerSpec& spec);

// One id a byte.
std::unique_ptr<Tokenizer> MakeByteTokenizer();

// The other kinds from the texts of their files; `name` and the like stand in errors.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeGpt2Tokenizer(absl::string_view vocab_json,
                                                             absl::string_view merges_txt,
                                                             absl::string_view vocab_name,
                                                             absl::string_view merges_name,
                                                             const TokenizerSpec& spec = {});
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeHuggingFaceTokenizer(absl::string_view json,
                                                                    absl::string_view name,
                                                                    const TokenizerSpec& spec);
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTiktokenTokenizer(absl::string_view ranks,
                                                                 absl::string_view name,
                                                                 const TokenizerSpec& spec);
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTekkenTokenizer(absl::string_view json, absl::string_view name,
                                                               const TokenizerSpec& spec);
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(absl::string_view model,
                                                                      absl::string_view name,
                                                                      const TokenizerSpec& spec);
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeWordPieceTokenizer(absl::string_view vocab_txt,
                                                                  absl::string_view name,
                                                                  const TokenizerSpec& spec);

}  // namespace galley::tokenizer
