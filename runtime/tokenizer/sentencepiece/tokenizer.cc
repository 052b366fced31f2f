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

// Pairs of pieces that together are a piece; a higher score merges first, equal scores from the left.
absl::StatusOr<std::unique_ptr<Model>> BpeOf(const SentencePieceModel& model, absl::string_view name) {
  std::map<float, uint32_t, std::greater<>> ranks;
  std::unordered_map<std::string_view, int32_t> ids;
  std::vector<std::string> tokens(model.pieces.size());
  BpeAlphabet alphabet;
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
    tokens[id] = piece.text;
    ids.emplace(piece.text, static_cast<int32_t>(id));
    ranks.emplace(piece.score, 0);
    const Utf8Char c = DecodeUtf8(piece.text.data(), piece.text.data() + piece.text.size());
    if (static_cast<size_t>(c.length) == piece.text.size())
      alphabet.SetChar(c.code, static_cast<int32_t>(id));
  }
  uint32_t next = 0;
  for (auto& [score, rank] : ranks) rank = next++;
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (const char* p = token.data(); p < token.data() + token.size();) {
      const Utf8Char c = DecodeUtf8(p, token.data() + token.size());
      const auto at = static_cast<size_t>(p - token.data());
      if (c.code >= alphabet.chars.size() || alphabet.chars[c.code] < 0) {
        return absl::UnimplementedError(absl::StrCat(name, ": piece ", id, " ('",
                                                     absl::Utf8SafeCEscape(tokens[id]),
                                                     "') has a character that is no piece: not supported"));
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
  parts.name = std::string(name);
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
  std::vector<AddedToken> special, user;
  std::unordered_map<std::string, int32_t> ids;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    AddedToken token;
    token.content = model.pieces[id].text;
    token.id = static_cast<int32_t>(id);
    ids.emplace(token.content, token.id);
    if (model.pieces[id].type == PieceType::kControl) {
      token.special = true;
      special.push_back(std::move(token));
    } else if (model.pieces[id].type == PieceType::kUserDefined) {
      user.push_back(std::move(token));
    }
  }
  parts.added = AddedTokens(std::move(special), !spec.special_tokens_in_text);
  if (model.type == SentencePieceModel::Type::kBpe)
    parts.added_normalized = AddedTokens(std::move(user), false);
  FillTokens(model, parts.tokens);
  parts.known.assign(parts.tokens.size(), true);
  if (model.add_dummy_prefix) {
    // The space that was put before (or after) every text.
    parts.decoder.push_back([suffix = model.whitespace_as_suffix, extra = model.remove_extra_whitespaces](
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
    });
  }
  if (model.bos >= 0) parts.frame.before = {model.bos};
  const std::string eos = model.eos >= 0 ? model.pieces[static_cast<size_t>(model.eos)].text : "";
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod.empty() ? eos : spec.eod, name, [&](absl::string_view text) {
                     const auto found = ids.find(std::string(text));
                     return found == ids.end() ? -1 : found->second;
                   }));
  return MakePipeline(std::move(parts));
}

}  // namespace galley::tokenizer
