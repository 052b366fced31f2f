// Models of tokenizer.json: BPE and WordPiece.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/huggingface/json.h"
#include "runtime/tokenizer/text/byte_chars.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer::hf {
namespace {

constexpr int64_t kMaxId = 1 << 22;

std::string Shown(absl::string_view token) {
  return absl::StrCat("'", absl::Utf8SafeCEscape(token.substr(0, 60)), token.size() > 60 ? "..." : "", "'");
}

bool IsBpe(const Node& node) {
  const std::string type = node.type();
  return type == "BPE" || (type.empty() && node["merges"].json().is_array());
}

// The two tokens of a merge, written "a b" or ["a", "b"].
absl::StatusOr<std::pair<std::string, std::string>> ReadPair(const Node& node) {
  if (node.json().is_array()) {
    if (node.size() != 2) return node.Bad("is not two tokens");
    ASSIGN_OR_RETURN(std::string left, node[size_t{0}].Needed());
    ASSIGN_OR_RETURN(std::string right, node[size_t{1}].Needed());
    return std::pair(std::move(left), std::move(right));
  }
  ASSIGN_OR_RETURN(const std::string text, node.Needed());
  const size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    return node.Bad(absl::StrCat(Shown(text), " is not two tokens with one space between"));
  }
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

absl::StatusOr<std::vector<BpeMerge>> ReadMerges(const Node& list, const Vocabulary& vocabulary) {
  if (!list.json().is_array()) return list.Bad("is not a list");
  std::vector<BpeMerge> merges;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& json = list.json().items[i];
    if (json.is_string() && absl::StartsWith(json.text, "#version")) continue;
    ASSIGN_OR_RETURN(const auto pair, ReadPair(list[i]));
    const auto id = [&](const std::string& token) -> absl::StatusOr<int32_t> {
      const auto found = vocabulary.ids.find(token);
      if (found == vocabulary.ids.end()) {
        return list[i].Bad(absl::StrCat("token ", Shown(token), " is not in the vocabulary"));
      }
      return found->second;
    };
    BpeMerge merge;
    ASSIGN_OR_RETURN(merge.left, id(pair.first));
    ASSIGN_OR_RETURN(merge.right, id(pair.second));
    ASSIGN_OR_RETURN(merge.merged, id(pair.first + pair.second));
    merge.rank = static_cast<uint32_t>(merges.size());
    merges.push_back(merge);
  }
  return merges;
}

// The byte that a token like "<0x0A>" stands for, or -1. Upper-case digits only: no other token is looked up.
int FallbackByte(absl::string_view token) {
  if (token.size() != 6) return -1;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    if (token == std::string{'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'}) return byte;
  }
  return -1;
}

// A model of bytes: the visible characters that vocabularies write are turned back into bytes.
std::unique_ptr<Model> ByteLevelBpe(const Vocabulary& vocabulary, const std::vector<BpeMerge>& merges,
                                    bool whole) {
  BpeAlphabet alphabet;
  std::vector<std::string> tokens(vocabulary.tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    // A token that stands for no bytes is never made from text.
    if (!ToBytes(vocabulary.tokens[id], tokens[id])) tokens[id].clear();
    if (tokens[id].size() == 1)
      alphabet.bytes[static_cast<unsigned char>(tokens[id][0])] = static_cast<int32_t>(id);
  }
  return MakeBpeModel(Bpe(std::move(alphabet), merges, tokens, whole));
}

absl::StatusOr<BpeAlphabet> ReadCharAlphabet(const Node& node, const Vocabulary& vocabulary) {
  ASSIGN_OR_RETURN(const bool fallback, node["byte_fallback"].Bool(false));
  BpeAlphabet alphabet;
  for (const auto& [token, id] : vocabulary.ids) {
    if (token.empty()) continue;
    const Utf8Char c = DecodeUtf8(token.data(), token.data() + token.size());
    if (static_cast<size_t>(c.length) == token.size()) alphabet.SetChar(c.code, id);
    const int byte = fallback ? FallbackByte(token) : -1;
    if (byte >= 0) alphabet.bytes[static_cast<size_t>(byte)] = id;
  }
  if (alphabet.chars.empty()) alphabet.chars.assign(1, -1);  // a model of characters, even so
  ASSIGN_OR_RETURN(const std::string unknown, node["unk_token"].String(""));
  ASSIGN_OR_RETURN(alphabet.fuse_unknown, node["fuse_unk"].Bool(false));
  if (node["unk_token"].null()) return alphabet;
  const auto found = vocabulary.ids.find(unknown);
  if (found == vocabulary.ids.end()) {
    return node["unk_token"].Bad(absl::StrCat("token ", Shown(unknown), " is not in the vocabulary"));
  }
  alphabet.unknown = found->second;
  return alphabet;
}

absl::StatusOr<std::unique_ptr<Model>> ReadBpe(const Node& node, const Vocabulary& vocabulary,
                                               bool byte_level, absl::string_view cut) {
  if (!node["dropout"].null() && node["dropout"].json().Number() != 0.0) {
    return node["dropout"].Bad("merges that are left out at random are not supported; set it to null");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    ASSIGN_OR_RETURN(const std::string text, node[key].String(""));
    if (!text.empty())
      return absl::UnimplementedError(absl::StrCat(node[key].path(), ": ", Shown(text), " is not supported"));
  }
  ASSIGN_OR_RETURN(const bool whole, node["ignore_merges"].Bool(false));
  ASSIGN_OR_RETURN(const std::vector<BpeMerge> merges, ReadMerges(node["merges"], vocabulary));
  if (byte_level) return ByteLevelBpe(vocabulary, merges, whole);
  ASSIGN_OR_RETURN(BpeAlphabet alphabet, ReadCharAlphabet(node, vocabulary));
  Bpe bpe(std::move(alphabet), merges, vocabulary.tokens, whole);
  // With pieces looked up whole first, a cut piece would be looked up in parts.
  const bool cuts = !whole && !cut.empty() && bpe.CutsBefore(cut, merges, vocabulary.tokens);
  return MakeBpeModel(std::move(bpe), cuts ? std::string(cut) : "");
}

}  // namespace

absl::StatusOr<Vocabulary> ReadVocabulary(const Node& node) {
  if (!node.json().is_object()) return node.Bad("is not a map from tokens to ids");
  Vocabulary vocabulary;
  for (const auto& [token, number] : node.json().members) {
    if (number.kind != Json::Kind::kInt || number.integer < 0 || number.integer >= kMaxId) {
      return node.Bad(
          absl::StrCat("the id of token ", Shown(token), " is not a whole number below ", kMaxId));
    }
    const auto id = static_cast<size_t>(number.integer);
    if (id >= vocabulary.tokens.size()) {
      vocabulary.tokens.resize(id + 1);
      vocabulary.known.resize(id + 1, false);
    }
    if (vocabulary.known[id])
      return node.Bad(absl::StrCat("id ", id, " appears twice, once for ", Shown(token)));
    vocabulary.known[id] = true;
    vocabulary.tokens[id] = token;
    vocabulary.ids.emplace(token, static_cast<int32_t>(id));
  }
  return vocabulary;
}

bool HasAllByteChars(const Node& model, const Vocabulary& vocabulary) {
  if (!IsBpe(model)) return false;
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    AppendUtf8(CharOfByte(static_cast<uint8_t>(byte)), token);
    if (vocabulary.ids.find(token) == vocabulary.ids.end()) return false;
  }
  return true;
}

absl::StatusOr<std::unique_ptr<Model>> ReadModel(const Node& node, const Vocabulary& vocabulary,
                                                 bool byte_level, absl::string_view cut) {
  if (IsBpe(node)) return ReadBpe(node, vocabulary, byte_level, cut);
  const bool wordpiece =
      node.type() == "WordPiece" || (node.type().empty() && !node["max_input_chars_per_word"].null());
  if (!wordpiece) return node.Unsupported();
  WordPieceVocabulary words;
  words.ids = vocabulary.ids;
  ASSIGN_OR_RETURN(words.unknown, node["unk_token"].String("[UNK]"));
  ASSIGN_OR_RETURN(words.prefix, node["continuing_subword_prefix"].String("##"));
  ASSIGN_OR_RETURN(const int64_t most, node["max_input_chars_per_word"].Int(100));
  if (most < 0) return node["max_input_chars_per_word"].Bad("is negative");
  // The search for the longest token is quadratic in the word.
  words.max_chars = static_cast<size_t>(std::min<int64_t>(most, 10'000));
  if (most > 10'000) return node["max_input_chars_per_word"].Bad("is above 10000");
  return MakeWordPieceModel(std::move(words));
}

}  // namespace galley::tokenizer::hf
