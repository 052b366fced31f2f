#include "runtime/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/split/split.h"

namespace galley::tokenizer {
namespace {

constexpr int64_t kMaxFile = 64 << 20;  // bytes; the largest published one has 19 MB

constexpr absl::string_view kKinds[] = {"huggingface", "tiktoken", "tekken", "sentencepiece", "wordpiece"};

class ByteEncoder : public Encoder {
 public:
  absl::Status Encode(absl::string_view text, std::vector<int32_t>& ids) override {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    ids.insert(ids.end(), bytes, bytes + text.size());
    return absl::OkStatus();
  }
};

class ByteTokenizer : public Tokenizer {
 public:
  absl::string_view kind() const override { return "bytes"; }
  int64_t vocab() const override { return 256; }
  std::optional<int32_t> eod() const override { return std::nullopt; }
  const Frame& frame() const override { return frame_; }
  std::unique_ptr<Encoder> NewEncoder() const override { return std::make_unique<ByteEncoder>(); }
  absl::Status Decode(std::span<const int32_t> ids, std::string& text, bool) const override {
    for (const int32_t id : ids) {
      if (id < 0 || id > 255) {
        return absl::OutOfRangeError(absl::StrCat(
            "tokenizer bytes: id ", id, " is no byte; decode with the tokenizer that made the ids"));
      }
      text.push_back(static_cast<char>(id));
    }
    return absl::OkStatus();
  }

 private:
  const Frame frame_ = {};
};

absl::StatusOr<std::string> ReadVocabularyFile(const std::string& path, absl::string_view kind,
                                               absl::string_view what) {
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("tokenizer ", kind, ": name its ", what, " file"));
  }
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file; tokenizer ", kind, " needs its ", what));
  }
  return ReadFile(path, kMaxFile);
}

// The kind of tokenizer that a file's contents are of; empty when they are of none.
absl::string_view KindOf(absl::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != absl::string_view::npos && text[first] == '{') {
    const bool tekken = absl::StrContains(text.substr(0, 4096), "\"default_vocab_size\"") ||
                        absl::StrContains(text, "\"token_bytes\"");
    return tekken ? "tekken" : "huggingface";
  }
  // A .model is a protobuf message whose first field is the first piece.
  if (absl::StartsWith(text, "\n") && text.size() > 2 && text[2] == '\n') return "sentencepiece";
  const absl::string_view line = text.substr(0, text.find('\n'));
  if (absl::StrContains(text, "[UNK]")) return "wordpiece";
  const size_t space = line.find(' ');
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (space != absl::string_view::npos && space + 1 < line.size() && digit(line[space + 1]))
    return "tiktoken";
  return "";
}

}  // namespace

std::unique_ptr<Tokenizer> MakeByteTokenizer() { return std::make_unique<ByteTokenizer>(); }

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TokenizerSpec& spec) {
  if (spec.kind == "bytes") return MakeByteTokenizer();
  if (spec.kind == "gpt2") {
    ASSIGN_OR_RETURN(const std::string vocab, ReadVocabularyFile(spec.vocab, spec.kind, "vocab.json"));
    ASSIGN_OR_RETURN(const std::string merges, ReadVocabularyFile(spec.merges, spec.kind, "merges.txt"));
    return MakeGpt2Tokenizer(vocab, merges, spec.vocab, spec.merges, spec);
  }
  if (std::find(std::begin(kKinds), std::end(kKinds), spec.kind) == std::end(kKinds)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tokenizer ", spec.kind,
        " is not known; take bytes, gpt2, huggingface, tiktoken, tekken, sentencepiece or wordpiece"));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadVocabularyFile(spec.file, spec.kind, "file"));
  if (spec.kind == "huggingface") return MakeHuggingFaceTokenizer(text, spec.file, spec);
  if (spec.kind == "tiktoken") return MakeTiktokenTokenizer(text, spec.file, spec);
  if (spec.kind == "tekken") return MakeTekkenTokenizer(text, spec.file, spec);
  if (spec.kind == "sentencepiece") return MakeSentencePieceTokenizer(text, spec.file, spec);
  return MakeWordPieceTokenizer(text, spec.file, spec);
}

absl::StatusOr<std::optional<int32_t>> ReadEod(const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, MakeTokenizer(spec));
  return tokenizer->eod();
}

absl::StatusOr<TokenizerSpec> ParseTokenizer(absl::string_view argument) {
  TokenizerSpec spec;
  spec.kind = "bytes";
  if (argument == "bytes") return spec;
  if (absl::string_view dir = argument; absl::ConsumePrefix(&dir, "gpt2:") && !dir.empty()) {
    spec.kind = "gpt2";
    spec.vocab = JoinPath(dir, "vocab.json");
    spec.merges = JoinPath(dir, "merges.txt");
    return spec;
  }
  for (const absl::string_view kind : kKinds) {
    absl::string_view rest = argument;
    if (!absl::ConsumePrefix(&rest, kind) || !absl::ConsumePrefix(&rest, ":") || rest.empty()) continue;
    spec.kind = std::string(kind);
    const size_t colon = rest.find(':');
    if (kind == "tiktoken" && colon != absl::string_view::npos &&
        NamedSplit(rest.substr(0, colon)) != nullptr) {
      spec.pattern = std::string(rest.substr(0, colon));
      rest.remove_prefix(colon + 1);
    }
    spec.file = std::string(rest);
    return spec;
  }
  spec.file = std::string(argument);
  if (!FileExists(spec.file)) {
    const absl::string_view how =
        "write bytes, gpt2:DIR with vocab.json and merges.txt in DIR, or a file: tokenizer.json, "
        "tekken.json, a "
        ".tiktoken, a .model or vocab.txt";
    const bool path = absl::StrContains(argument, "/") || absl::StrContains(argument, ".");
    const std::string message = absl::StrCat(path ? "" : "tokenizer '", argument,
                                             path ? ": no such file; " : "' is not known; ", how);
    if (path) return absl::NotFoundError(message);
    return absl::InvalidArgumentError(message);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(spec.file, kMaxFile));
  spec.kind = std::string(KindOf(text));
  if (!spec.kind.empty()) return spec;
  return absl::InvalidArgumentError(absl::StrCat(
      argument, ": what kind of tokenizer it is cannot be told from its contents; write KIND:FILE, KIND ",
      "being huggingface, tiktoken, tekken, sentencepiece or wordpiece"));
}

std::vector<std::string> FilesOf(const TokenizerSpec& spec) {
  if (spec.kind == "bytes") return {};
  if (spec.kind == "gpt2") return {spec.vocab, spec.merges};
  return {spec.file};
}

}  // namespace galley::tokenizer
