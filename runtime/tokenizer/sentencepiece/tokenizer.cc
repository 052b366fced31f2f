#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/pipeline/models.h"
#include "runtime/tokenizer/sentencepiece/model.h"
#include "runtime/tokenizer/sentencepiece/unigram.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr absl::string_view kMark = "\xe2\x96\x81";
constexpr size_t kMaxPieceBytes = 4096;

bool Merges(PieceType type) { return type == PieceType::kNormal || type == PieceType::kUserDefined; }

// The pieces that text is merged to.
struct MergedPieces {
  std::vector<std::string> tokens;                    // by id; empty for pieces of other types
  std::unordered_map<std::string_view, int32_t> ids;  // by text, which `tokens` of the model holds
  std::map<float, uint32_t, std::greater<>> ranks;    // of each score; the highest is rank 0
  BpeAlphabet alphabet;
};

absl::StatusOr<MergedPieces> MergedPiecesOf(const SentencePieceModel& model, absl::string_view name) {
  MergedPieces merged;
  merged.tokens.resize(model.pieces.size());
  BpeAlphabet& alphabet = merged.alphabet;
  alphabet.chars.assign(1, -1);
  alphabet.unknown = model.unknown;
  alphabet.fuse_unknown = true;
  if (model.byte_fallback) alphabet.bytes = model.bytes;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    if (piece.type == PieceType::kUnused) {
      return absl::UnimplementedError(
          absl::StrCat(name, ": piece ", id, ": UNUSED pieces of BPE are not supported"));
    }
    if (!Merges(piece.type)) continue;
    if (piece.text.size() > kMaxPieceBytes) {
      return absl::DataLossError(absl::StrCat(name, ": piece ", id, " has ", piece.text.size(), " bytes"));
    }
    merged.tokens[id] = piece.text;
    merged.ids.emplace(piece.text, static_cast<int32_t>(id));
    merged.ranks.emplace(piece.score, 0);
    const Utf8Char c = DecodeUtf8(piece.text.data(), piece.text.data() + piece.text.size());
    if (static_cast<size_t>(c.length) == piece.text.size())
      alphabet.SetChar(c.code, static_cast<int32_t>(id));
  }
  uint32_t next = 0;
  for (auto& [score, rank] : merged.ranks) rank = next++;
  return merged;
}

// Pairs of pieces that together are a piece; a higher score merges first, equal scores from the left.
absl::StatusOr<std::unique_ptr<Model>> BpeOf(const SentencePieceModel& model, absl::string_view name) {
  ASSIGN_OR_RETURN(MergedPieces pieces, MergedPiecesOf(model, name));
  auto& [tokens, ids, ranks, alphabet] = pieces;
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (const char* p = token.data(); p < token.data() + token.size();) {
      const Utf8Char c = DecodeUtf8(p, token.data() + token.size());
      const auto at = static_cast<size_t>(p - token.data());
      if (c.code >= alphabet.chars.size() || alphabet.chars[c.code] < 0) {
        return absl::UnimplementedError(
            absl::StrCat(name, ": piece ", id, " ('", absl::Utf8SafeCEscape(tokens[id]),
                         "') has a character that is not a piece: not supported"));
      }
      p += c.length;
      if (at == 0) continue;
      const auto left = ids.find(token.substr(0, at));
      const auto right = ids.find(token.substr(at));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({left->second, right->second, static_cast<int32_t>(id),
                        ranks.find(model.pieces[id].score)->second});
    }
  }
  Bpe bpe(std::move(alphabet), merges, tokens, false);
  const bool cuts = model.escape_whitespaces && bpe.CutsBefore(kMark, merges, tokens);
  return MakeBpeModel(std::move(bpe), cuts ? std::string(kMark) : "");
}

// The texts that pieces decode to, marks still for spaces.
void FillTokens(const SentencePieceModel& model, std::vector<std::string>& tokens) {
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    switch (piece.type) {
      case PieceType::kByte:
        tokens.emplace_back(1, '\0');
        break;
      case PieceType::kControl:
        tokens.emplace_back();
        break;
      case PieceType::kUnknown:
        tokens.push_back(model.unknown_surface);
        break;
      default:
        tokens.push_back(absl::StrReplaceAll(piece.text, {{kMark, " "}}));
    }
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (model.bytes[byte] >= 0) tokens[static_cast<size_t>(model.bytes[byte])][0] = static_cast<char>(byte);
  }
}

// Pieces of the given type as tokens that are found in a text before the model sees it.
std::vector<AddedToken> PiecesToFind(const SentencePieceModel& model, PieceType type) {
  std::vector<AddedToken> tokens;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != type) continue;
    AddedToken token;
    token.content = model.pieces[id].text;
    token.id = static_cast<int32_t>(id);
    token.special = type == PieceType::kControl;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// Takes away the space that was put before (or after) every text.
DecodeStep DummyPrefixDecode(const SentencePieceModel& model) {
  return [suffix = model.whitespace_as_suffix, extra = model.remove_extra_whitespaces](
             std::vector<std::string>& tokens, bool continued) {
    if (suffix && !tokens.empty()) {
      absl::string_view last = tokens.back();
      absl::ConsumeSuffix(&last, " ");
      tokens.back() = std::string(last);
    }
    for (size_t i = 0; i < tokens.size() && !continued && !suffix; ++i) {
      if (tokens[i].empty()) continue;
      if (tokens[i][0] == ' ') tokens[i].erase(0, 1);
      if (!extra || !tokens[i].empty()) break;
    }
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(absl::string_view bytes,
                                                                      absl::string_view name,
                                                                      const TokenizerSpec& spec) {
  ASSIGN_OR_RETURN(const SentencePieceModel model, ParseSentencePieceModel(bytes, name));
  if (model.denormalizer) {
    return absl::UnimplementedError(absl::StrCat(name, ": denormalizer_spec: its rules are not supported"));
  }
  Parts parts;
  parts.kind = TokenizerKind::kSentencePiece;
  if (model.type == SentencePieceModel::Type::kBpe) {
    ASSIGN_OR_RETURN(parts.model, BpeOf(model, name));
  } else if (model.type == SentencePieceModel::Type::kUnigram) {
    parts.model = MakeUnigramModel(model);
  } else {
    return absl::UnimplementedError(
        absl::StrCat(name, ": trainer_spec.model_type: word and char models are not supported"));
  }
  ASSIGN_OR_RETURN(const auto normalizer, SentencePieceNormalizer::Make(model, name));
  parts.normalizer.push_back([normalizer](std::string& text) {
    text = normalizer.Normalize(text);
    return absl::OkStatus();
  });
  parts.added = AddedTokens(PiecesToFind(model, PieceType::kControl), !spec.special_tokens_in_text);
  // A unigram model has user-defined pieces among its own, where they win over every other split.
  if (model.type == SentencePieceModel::Type::kBpe)
    parts.added_normalized = AddedTokens(PiecesToFind(model, PieceType::kUserDefined), false);
  FillTokens(model, parts.tokens);
  parts.known.assign(parts.tokens.size(), true);
  if (model.add_dummy_prefix) parts.decoder.push_back(DummyPrefixDecode(model));
  if (model.bos >= 0) parts.frame.before = {model.bos};
  const std::string eos = model.eos >= 0 ? model.pieces[static_cast<size_t>(model.eos)].text : "";
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod.empty() ? eos : spec.eod, name, [&](absl::string_view text) {
                     const auto piece = std::find_if(model.pieces.begin(), model.pieces.end(),
                                                     [&](const auto& p) { return p.text == text; });
                     return piece == model.pieces.end() ? -1
                                                        : static_cast<int32_t>(piece - model.pieces.begin());
                   }));
  return MakePipeline(std::move(parts));
}

}  // namespace galley::tokenizer
