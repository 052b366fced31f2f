#include "runtime/data/tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr int64_t kMaxVocabularyFile = 16 << 20;  // bytes; GPT-2's is 1 MiB

class ByteEncoder : public Encoder {
 public:
  void Encode(absl::string_view text, std::vector<int32_t>& ids) override {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    ids.insert(ids.end(), bytes, bytes + text.size());
  }
};

class ByteTokenizer : public Tokenizer {
 public:
  absl::string_view kind() const override { return "bytes"; }
  int64_t vocab() const override { return 256; }
  std::optional<int32_t> eod() const override { return std::nullopt; }
  std::unique_ptr<Encoder> NewEncoder() const override { return std::make_unique<ByteEncoder>(); }
  absl::Status Decode(std::span<const int32_t> ids, std::string& text) const override {
    for (const int32_t id : ids) {
      if (id < 0 || id > 255) {
        return absl::OutOfRangeError(absl::StrCat(
            "tokenizer bytes: id ", id, " is no byte; decode with the tokenizer that made the ids"));
      }
      text.push_back(static_cast<char>(id));
    }
    return absl::OkStatus();
  }
};

absl::StatusOr<std::string> ReadVocabularyFile(const std::string& path, absl::string_view what) {
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("tokenizer gpt2: name its ", what, " file"));
  }
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file; tokenizer gpt2 needs its ", what));
  }
  return ReadFile(path, kMaxVocabularyFile);
}

}  // namespace

std::unique_ptr<Tokenizer> MakeByteTokenizer() { return std::make_unique<ByteTokenizer>(); }

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TokenizerFiles& files) {
  if (files.kind == "bytes") return MakeByteTokenizer();
  if (files.kind != "gpt2") {
    return absl::InvalidArgumentError(
        absl::StrCat("tokenizer ", files.kind, " is not known; take bytes or gpt2"));
  }
  ASSIGN_OR_RETURN(const std::string vocab, ReadVocabularyFile(files.vocab, "vocab.json"));
  ASSIGN_OR_RETURN(const std::string merges, ReadVocabularyFile(files.merges, "merges.txt"));
  return MakeGpt2Tokenizer(vocab, merges, files.vocab, files.merges);
}

absl::StatusOr<TokenizerFiles> ParseTokenizer(absl::string_view argument) {
  if (argument == "bytes") return TokenizerFiles{"bytes", "", ""};
  if (absl::string_view dir = argument; absl::ConsumePrefix(&dir, "gpt2:") && !dir.empty()) {
    return TokenizerFiles{"gpt2", JoinPath(dir, "vocab.json"), JoinPath(dir, "merges.txt")};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("tokenizer '", argument,
                   "' is not known; write bytes, or gpt2:DIR with vocab.json and merges.txt in DIR"));
}

}  // namespace galley::data
