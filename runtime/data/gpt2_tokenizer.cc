#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/data/bpe.h"
#include "runtime/data/gpt2_split.h"
#include "runtime/data/gpt2_vocab.h"
#include "runtime/data/tokenizer.h"

namespace galley::data {
namespace {

class Gpt2Encoder : public Encoder {
 public:
  explicit Gpt2Encoder(const Bpe& bpe) : encoder_(bpe) {}
  void Encode(absl::string_view text, std::vector<int32_t>& ids) override {
    const char* p = text.data();
    const char* const end = p + text.size();
    while (p < end) {
      const size_t length = Gpt2Piece(p, end);
      encoder_.Encode(p, length, end, ids);
      p += length;
    }
  }

 private:
  BpeEncoder encoder_;
};

class Gpt2Tokenizer : public Tokenizer {
 public:
  explicit Gpt2Tokenizer(Gpt2Vocabulary vocabulary)
      : tokens_(std::move(vocabulary.tokens)),
        eod_(vocabulary.eod),
        bpe_(vocabulary.byte_ids, vocabulary.merges, tokens_) {}

  absl::string_view kind() const override { return "gpt2"; }
  int64_t vocab() const override { return static_cast<int64_t>(tokens_.size()); }
  std::optional<int32_t> eod() const override { return eod_ >= 0 ? std::optional(eod_) : std::nullopt; }
  std::unique_ptr<Encoder> NewEncoder() const override { return std::make_unique<Gpt2Encoder>(bpe_); }

  absl::Status Decode(std::span<const int32_t> ids, std::string& text) const override {
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocab()) {
        return absl::OutOfRangeError(absl::StrCat("tokenizer gpt2: id ", id, " is outside its vocabulary of ",
                                                  vocab(), "; decode with the tokenizer that made the ids"));
      }
      text += tokens_[static_cast<size_t>(id)];
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<std::string> tokens_;
  const int32_t eod_;
  const Bpe bpe_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeGpt2Tokenizer(absl::string_view vocab_json,
                                                             absl::string_view merges_txt,
                                                             absl::string_view vocab_name,
                                                             absl::string_view merges_name) {
  ASSIGN_OR_RETURN(Gpt2Vocabulary vocabulary,
                   ParseGpt2Vocabulary(vocab_json, merges_txt, vocab_name, merges_name));
  return std::make_unique<Gpt2Tokenizer>(std::move(vocabulary));
}

}  // namespace galley::data
