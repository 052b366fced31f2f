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

// Whether the name (without .gz or .zst) ends in .jsonl, .ndjson or .json; all else is plain text.
bool IsJsonl(const std::string& path);

struct TokenizeProgress {
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t text_bytes = 0;   // decompressed
  int64_t input_bytes = 0;  // read from the files, as they lie on disk
  int64_t input_total = 0;
  int64_t bad_lines = 0;  // skipped
  double seconds = 0;     // of this process
  // What an earlier process had done; it is in the counts above.
  int64_t resumed_documents = 0;
  int64_t resumed_text_bytes = 0;
  int64_t resumed_input_bytes = 0;
  double MegabytesPerSecond() const {
    return seconds > 0 ? static_cast<double>(text_bytes - resumed_text_bytes) / seconds / 1e6 : 0;
  }
  double SecondsLeft() const;  // by the share of the input; 0 when nothing is known yet
};

struct TokenizeOptions {
  std::vector<std::string> inputs;  // .gz and .zst are decompressed; order is kept
  std::string output;               // prefix of .bin and .idx
  std::string json_key = "text";
  DocumentUnit document = DocumentUnit::kParagraph;
  bool add_special_tokens = false;  // what the tokenizer's own template puts around a document
  bool append_eod = false;
  bool special_tokens_in_text = false;  // how the tokenizer was made, for the data set's metadata
  std::string tokenizer_fingerprint;    // TokenizerFingerprint, for the data set's metadata
  int workers = 1;
  // So many documents that cannot be tokenised (a line that is no JSON, lacks the key or holds no string
  // there; a text that the tokenizer or its framing refuses) are left out; one more fails the whole.
  int64_t skip_bad = 0;
  // Called from the calling thread for each that is left out: "file:line:column: why".
  std::function<void(const std::string&)> bad_line;
  // Begin anew where an earlier tokenisation to the same prefix was stopped, whatever it was.
  bool restart = false;
  int64_t durable_bytes = 64 << 20;  // of .bin: so much is made durable at a time
  // Called from the calling thread, about ten times a second and once at the end.
  std::function<void(const TokenizeProgress&)> progress;
};

// Megatron's naming: PREFIX_KEY_document.
std::string DatasetPrefix(const std::string& prefix, const std::string& json_key);

// Documents keep the order of the input, whatever the number of workers. A bad line beyond `skip_bad` fails
// the whole with file:line. Memory is bounded by workers and by the longest document (1 GiB at most). An
// input without a document is an error.
//
// Nothing appears under the output's names before the end. Every durable_bytes the state is made durable as
// PREFIX.partial.json and PREFIX.partial.*; whatever stops the process after that, the same call goes on from
// there by itself, and the result is byte for byte that of an undisturbed one. kFailedPrecondition when the
// state there is of other inputs, another tokenizer or other options; kAborted when another process writes
// the same prefix. Inputs that are no plain files (pipes) are read as well, and have no state.
absl::StatusOr<TokenizeProgress> Tokenize(const tokenizer::Tokenizer& tokenizer,
                                          const TokenizeOptions& options);

}  // namespace galley::data
