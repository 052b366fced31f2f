#include "runtime/tokenizer/tokenizer.h"

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
  TokenizerKind kind() const override { return TokenizerKind::kBytes; }
  int64_t vocab() const override { return 256; }
  std::optional<int32_t> eod() const override { return std::nullopt; }
  const Frame& frame() const override { return frame_; }
  std::unique_ptr<Encoder> NewEncoder() const override { return std::make_unique<ByteEncoder>(); }
  absl::Status Decode(std::span<const int32_t> ids, std::string& text, bool) const override {
    for (const int32_t id : ids) {
      if (id < 0 || id > 255) {
        return absl::OutOfRangeError(absl::StrCat(
            "tokenizer bytes: id ", id, " is not a byte; decode with the tokenizer that made the ids"));
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

// "KIND:FILE" of kinds with one file, tiktoken's also with a pattern before it; none for other arguments.
std::optional<TokenizerSpec> ParseKindAndFile(absl::string_view argument) {
  for (const KindInfo& info : Kinds()) {
    absl::string_view rest = argument;
    if (info.files != KindFiles::kFile || !absl::ConsumePrefix(&rest, info.name) ||
        !absl::ConsumePrefix(&rest, ":") || rest.empty()) {
      continue;
    }
    TokenizerSpec spec{.kind = info.kind};
    const size_t colon = rest.find(':');
    if (info.kind == TokenizerKind::kTiktoken && colon != absl::string_view::npos &&
        NamedSplit(rest.substr(0, colon)) != nullptr) {
      spec.pattern = std::string(rest.substr(0, colon));
      rest.remove_prefix(colon + 1);
    }
    spec.file = std::string(rest);
    return spec;
  }
  return std::nullopt;
}

absl::Status NotKnown(absl::string_view argument) {
  const std::string how = "write " + CommandLineForms();
  if (absl::StrContains(argument, "/") || absl::StrContains(argument, ".")) {
    return absl::NotFoundError(absl::StrCat(argument, ": no such file; ", how));
  }
  return absl::InvalidArgumentError(absl::StrCat("tokenizer '", argument, "' is not known; ", how));
}

}  // namespace

std::unique_ptr<Tokenizer> MakeByteTokenizer() { return std::make_unique<ByteTokenizer>(); }

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(const TokenizerSpec& spec) {
  const KindInfo& info = Info(spec.kind);
  const absl::string_view names[] = {"vocab.json", "merges.txt"};
  std::vector<std::string> texts;
  for (const std::string& path : FilesOf(spec)) {
    const absl::string_view what = info.files == KindFiles::kFile ? "file" : names[texts.size()];
    ASSIGN_OR_RETURN(texts.emplace_back(), ReadVocabularyFile(path, info.name, what));
  }
  return info.read(texts, spec);
}

absl::StatusOr<std::optional<int32_t>> ReadEod(const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer, MakeTokenizer(spec));
  return tokenizer->eod();
}

absl::StatusOr<TokenizerSpec> ParseTokenizer(absl::string_view argument) {
  if (argument == Name(TokenizerKind::kBytes)) return TokenizerSpec{};
  if (absl::string_view dir = argument; absl::ConsumePrefix(&dir, "gpt2:") && !dir.empty()) {
    return TokenizerSpec{.kind = TokenizerKind::kGpt2,
                         .vocab = JoinPath(dir, "vocab.json"),
                         .merges = JoinPath(dir, "merges.txt")};
  }
  if (const auto spec = ParseKindAndFile(argument); spec.has_value()) return *spec;
  if (!FileExists(std::string(argument))) return NotKnown(argument);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(std::string(argument), kMaxFile));
  if (const auto kind = Recognise(text); kind.has_value()) {
    return TokenizerSpec{.kind = *kind, .file = std::string(argument)};
  }
  return absl::InvalidArgumentError(absl::StrCat(
      argument, ": what kind of tokenizer it is cannot be told from its contents; write KIND:FILE, KIND ",
      "being ", NamesOfKinds(KindFiles::kFile)));
}

std::vector<std::string> FilesOf(const TokenizerSpec& spec) {
  switch (Info(spec.kind).files) {
    case KindFiles::kNone:
      return {};
    case KindFiles::kVocabAndMerges:
      return {spec.vocab, spec.merges};
    case KindFiles::kFile:
      return {spec.file};
  }
  return {};
}

}  // namespace galley::tokenizer
