// PREFIX.partial.json: how far a tokenisation has got, so that a stopped one goes on.
// Text: docs/formats/tokenize-state.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley::data {

// A file as it was when the tokenisation began.
struct InputMark {
  std::string path;
  int64_t bytes = 0;
  int64_t modified = 0;  // ns since 1970
  std::string ends;      // XXH3-64 of its first and last 64 KiB, 16 hex digits
  bool operator==(const InputMark&) const = default;
};

// What decides the result: equal ones give the same bytes.
struct TokenizeIdentity {
  std::vector<InputMark> inputs;
  std::vector<std::pair<std::string, std::string>> options;  // name and value
};

struct TokenizeState {
  TokenizeIdentity identity;
  int64_t input = 0;        // index of the file that is being read
  int64_t text_offset = 0;  // in its decompressed text: the end of the last document that was written
  int64_t next_line = 1;    // there
  int64_t input_bytes = 0;  // of all files, read so far
  int64_t text_bytes = 0;
  int64_t bad_lines = 0;
  WriterMark written;
  bool finished = false;  // nothing is left but to give the files their names
};

// None when an input is no plain file (a pipe cannot be read again): such a tokenisation cannot go on.
absl::StatusOr<std::optional<TokenizeIdentity>> IdentityOf(const tokenizer::Tokenizer& tokenizer,
                                                           const TokenizeOptions& options);

std::string TokenizeStatePath(const std::string& prefix);  // prefix + ".partial.json"
std::string ToJson(const TokenizeState& state);
absl::StatusOr<TokenizeState> ParseTokenizeState(absl::string_view text, absl::string_view path);
absl::StatusOr<std::optional<TokenizeState>> ReadTokenizeState(const std::string& prefix);
// kFailedPrecondition that names the first difference and the remedy. `path` is the state's.
absl::Status CheckSameTokenization(const TokenizeState& state, const TokenizeIdentity& identity,
                                   absl::string_view path);

}  // namespace galley::data
