// What goes around the ids of a document, and the refusal of separators that would appear twice.
#pragma once

#include <vector>

#include "runtime/tokenizer/tokenizer.h"

namespace galley::tokenizer {

struct FramingOptions {
  bool add_special_tokens = false;  // what the tokenizer's own template puts around a document (Frame)
  bool append_eod = false;          // the end-of-document id after every document that has a token
};

// Immutable and thread-safe.
class Framing {
 public:
  // Refuses what the tokenizer cannot do, and options that would end every document twice, or begin the next
  // with the id that ended the one before.
  static absl::StatusOr<Framing> Make(const Tokenizer& tokenizer, const FramingOptions& options);

  // Appends the ids of one document to `ids`. An empty text has none and gets no frame. Fails where the text
  // itself begins or ends with the separator that is put there, as texts that were framed before do.
  absl::Status Encode(Encoder& encoder, absl::string_view text, std::vector<int32_t>& ids) const;

 private:
  std::vector<int32_t> before_, after_;
};

}  // namespace galley::tokenizer
