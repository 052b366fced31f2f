#include "runtime/tokenizer/kinds.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::tokenizer {
namespace {

using Texts = std::vector<std::string>;
using Made = absl::StatusOr<std::unique_ptr<Tokenizer>>;

Made ReadBytes(const Texts&, const TokenizerSpec&) { return MakeByteTokenizer(); }

Made ReadGpt2(const Texts& texts, const TokenizerSpec& spec) {
  return MakeGpt2Tokenizer(texts[0], texts[1], spec.vocab, spec.merges, spec);
}

template <auto Make>
Made ReadFrom(const Texts& texts, const TokenizerSpec& spec) {
  return Make(texts[0], spec.file, spec);
}

bool IsJson(absl::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != absl::string_view::npos && text[first] == '{';
}

bool IsTekken(absl::string_view text) {
  return IsJson(text) && (absl::StrContains(text.substr(0, 4096), "\"default_vocab_size\"") ||
                          absl::StrContains(text, "\"token_bytes\""));
}

bool IsHuggingFace(absl::string_view text) { return IsJson(text) && !IsTekken(text); }

// A .model is a protobuf message whose first field is the first piece: a tag of 10, a length, again a 10.
bool IsSentencePiece(absl::string_view text) {
  return !IsJson(text) && text.size() > 2 && text[0] == '\n' && text[2] == '\n';
}

bool IsWordPiece(absl::string_view text) {
  return !IsJson(text) && !IsSentencePiece(text) && absl::StrContains(text, "[UNK]");
}

bool IsTiktoken(absl::string_view text) {
  if (IsJson(text) || IsSentencePiece(text) || IsWordPiece(text)) return false;
  const absl::string_view line = text.substr(0, text.find('\n'));
  const size_t space = line.find(' ');
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return space != absl::string_view::npos && space + 1 < line.size() && digit(line[space + 1]);
}

using Kind = TokenizerKind;
using Files = KindFiles;
constexpr KindInfo kKinds[] = {
    {Kind::kBytes, "bytes", "a token is a byte", Files::kNone, nullptr, ReadBytes},
    {Kind::kGpt2, "gpt2", "byte-level BPE of vocab.json and merges.txt", Files::kVocabAndMerges, nullptr,
     ReadGpt2},
    {Kind::kHuggingFace, "huggingface", "a tokenizer.json", Files::kFile, IsHuggingFace,
     ReadFrom<MakeHuggingFaceTokenizer>},
    {Kind::kTiktoken, "tiktoken", "a file of base64 tokens and ranks", Files::kFile, IsTiktoken,
     ReadFrom<MakeTiktokenTokenizer>},
    {Kind::kTekken, "tekken", "a tekken.json", Files::kFile, IsTekken, ReadFrom<MakeTekkenTokenizer>},
    {Kind::kSentencePiece, "sentencepiece", "a .model", Files::kFile, IsSentencePiece,
     ReadFrom<MakeSentencePieceTokenizer>},
    {Kind::kWordPiece, "wordpiece", "a vocab.txt", Files::kFile, IsWordPiece,
     ReadFrom<MakeWordPieceTokenizer>},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    if (static_cast<size_t>(kKinds[i].kind) != i) return false;
  }
  return true;
}
static_assert(InOrder(), "Info() takes a kind for its index");

// "a, b or c", of the kinds that have such files.
std::string AnyOf(absl::string_view KindInfo::*text, KindFiles files) {
  std::vector<absl::string_view> texts;
  for (const KindInfo& info : kKinds) {
    if (info.files == files) texts.push_back(info.*text);
  }
  if (texts.size() == 1) return std::string(texts[0]);
  const absl::string_view last = texts.back();
  texts.pop_back();
  return absl::StrCat(absl::StrJoin(texts, ", "), " or ", last);
}

}  // namespace

std::span<const KindInfo> Kinds() { return kKinds; }

const KindInfo& Info(TokenizerKind kind) { return kKinds[static_cast<size_t>(kind)]; }

absl::string_view Name(TokenizerKind kind) { return Info(kind).name; }

std::string NamesOfKinds(KindFiles files) { return AnyOf(&KindInfo::name, files); }

std::string CommandLineForms() {
  return absl::StrCat(
      NamesOfKinds(KindFiles::kNone), ", ", NamesOfKinds(KindFiles::kVocabAndMerges),
      ":DIR with vocab.json and merges.txt in DIR, or a file: ", AnyOf(&KindInfo::meaning, KindFiles::kFile));
}

std::optional<TokenizerKind> Recognise(absl::string_view text) {
  for (const KindInfo& info : kKinds) {
    if (info.recognises != nullptr && info.recognises(text)) return info.kind;
  }
  return std::nullopt;
}

}  // namespace galley::tokenizer
