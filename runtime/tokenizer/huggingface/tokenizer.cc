// Hugging Face's tokenizer.json as a pipeline.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/huggingface/json.h"
#include "runtime/tokenizer/text/byte_chars.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace hf {
namespace {

// Gemma's file, the largest published, has 1.9 million values; a component is three levels in its Sequence.
constexpr JsonLimits kLimits{.depth = 4 * kMaxDepth, .values = 6'000'000};
constexpr size_t kMaxAddedBytes = 4 << 20;  // each costs a node of the search tree
constexpr char kMark[] = "\xe2\x96\x81";    // U+2581, which stands for a space

// The ids that a post-processor puts around a document go outside those that are there already.
absl::Status ReadTemplate(const Node& node, Frame& frame) {
  const Node list = node["single"];
  if (!list.json().is_array()) return list.Bad("is not a list");
  std::vector<int32_t> before, after;
  int sequences = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i]["Sequence"].null()) {
      ASSIGN_OR_RETURN(const std::string which, list[i]["Sequence"]["id"].Needed());
      if (which != "A") return list[i].Bad(absl::StrCat("sequence ", which, " is not that of a single text"));
      ++sequences;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string name, list[i]["SpecialToken"]["id"].Needed());
    const Node special = node["special_tokens"][name.c_str()]["ids"];
    if (!special.json().is_array()) {
      return list[i].Bad(absl::StrCat("'", absl::Utf8SafeCEscape(name), "' is not among special_tokens"));
    }
    for (size_t k = 0; k < special.size(); ++k) {
      ASSIGN_OR_RETURN(const int64_t id, special[k].Int(-1));
      if (id < 0 || id > (1 << 22)) return special[k].Bad("is not an id");
      (sequences == 0 ? before : after).push_back(static_cast<int32_t>(id));
    }
  }
  if (sequences != 1) return list.Bad("holds sequence A not exactly once");
  frame.before.insert(frame.before.begin(), before.begin(), before.end());
  frame.after.insert(frame.after.end(), after.begin(), after.end());
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const Node& node, int depth, Frame& frame) {
  if (node.null()) return absl::OkStatus();
  if (depth > kMaxDepth) return node.Bad("is nested too deep");
  const std::string type = node.type();
  if (type == "ByteLevel") return absl::OkStatus();  // moves offsets, which are not kept here
  if (type == "TemplateProcessing") return ReadTemplate(node, frame);
  if (type == "Sequence") {
    const Node list = node["processors"];
    if (!list.json().is_array()) return list.Bad("is not a list");
    for (size_t i = 0; i < list.size(); ++i) RETURN_IF_ERROR(ReadPostProcessor(list[i], depth + 1, frame));
    return absl::OkStatus();
  }
  if (type != "BertProcessing" && type != "RobertaProcessing") return node.Unsupported();
  for (const char* key : {"cls", "sep"}) {
    const Node pair = node[key];
    if (pair.size() != 2) return pair.Bad("is not a token and its id");
    ASSIGN_OR_RETURN(const int64_t id, pair[size_t{1}].Int(-1));
    if (id < 0 || id > (1 << 22)) return pair[size_t{1}].Bad("is not an id");
    if (key[0] == 'c') {
      frame.before.insert(frame.before.begin(), static_cast<int32_t>(id));
    } else {
      frame.after.push_back(static_cast<int32_t>(id));
    }
  }
  return absl::OkStatus();
}

// The id in the file is not what counts: a token of the model's vocabulary keeps its id, others get the next.
absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Node& list, Vocabulary& vocabulary) {
  std::vector<AddedToken> added;
  if (!list.null() && !list.json().is_array()) return list.Bad("is not a list");
  const auto base = static_cast<int32_t>(vocabulary.ids.size());
  int32_t highest = -1;
  size_t bytes = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const Node node = list[i];
    AddedToken token;
    ASSIGN_OR_RETURN(token.content, node["content"].Needed());
    ASSIGN_OR_RETURN(token.single_word, node["single_word"].Bool(false));
    ASSIGN_OR_RETURN(token.lstrip, node["lstrip"].Bool(false));
    ASSIGN_OR_RETURN(token.rstrip, node["rstrip"].Bool(false));
    ASSIGN_OR_RETURN(token.special, node["special"].Bool(false));
    ASSIGN_OR_RETURN(token.normalized, node["normalized"].Bool(!token.special));
    if (token.content.empty()) continue;
    bytes += token.content.size();
    if (bytes > kMaxAddedBytes) return list.Bad("holds more than 4 MiB of text");
    const auto known = vocabulary.ids.find(token.content);
    if (known != vocabulary.ids.end()) {
      token.id = known->second;
    } else {
      token.id = highest >= base || base == 0 ? highest + 1 : base;
      const auto at = static_cast<size_t>(token.id);
      if (at >= vocabulary.tokens.size()) {
        vocabulary.tokens.resize(at + 1);
        vocabulary.known.resize(at + 1, false);
      }
      if (vocabulary.known[at]) {
        return node.Bad(absl::StrCat("its id ", at, " is taken; the model's vocabulary has gaps"));
      }
      vocabulary.tokens[at] = token.content;
      vocabulary.known[at] = true;
      vocabulary.ids.emplace(token.content, token.id);
    }
    highest = std::max(highest, token.id);
    added.push_back(std::move(token));
  }
  return added;
}

// A mark that a text may be cut before: where spaces are marks and nothing else cuts.
absl::string_view CutOf(const Node& root) {
  const std::string normalizer = root["normalizer"].null() ? "" : root["normalizer"].json().Dump();
  const std::string cutter = root["pre_tokenizer"].null() ? "" : root["pre_tokenizer"].json().Dump();
  return normalizer.find(kMark) != std::string::npos || cutter.find(kMark) != std::string::npos ? kMark : "";
}

absl::StatusOr<Parts> Read(const Node& root, const TokenizerSpec& spec) {
  if (!root.json().is_object()) return absl::DataLossError("not a JSON object");
  ASSIGN_OR_RETURN(const std::string version, root["version"].String("1.0"));
  if (version != "1.0") {
    return root["version"].Bad(absl::StrCat("'", version, "' is not 1.0"));
  }
  for (const char* key : {"truncation", "padding"}) {
    if (!root[key].null()) return root[key].Bad("documents are neither cut nor padded; set it to null");
  }
  Parts parts;
  ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(root["model"]["vocab"]));
  RETURN_IF_ERROR(ReadNormalizer(root["normalizer"], 0, parts.normalizer));
  bool byte_level = HasAllByteChars(root["model"], vocabulary);
  RETURN_IF_ERROR(ReadPreTokenizer(root["pre_tokenizer"], 0, parts, &byte_level));
  parts.characters = !byte_level || !parts.normalizer.empty();
  ASSIGN_OR_RETURN(parts.model, ReadModel(root["model"], vocabulary, byte_level, CutOf(root)));
  ASSIGN_OR_RETURN(const std::vector<AddedToken> added, ReadAddedTokens(root["added_tokens"], vocabulary));
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : added) {
    if (!token.normalized) {
      raw.push_back(token);
      continue;
    }
    normalized.push_back(token);
    for (const TextStep& step : parts.normalizer) RETURN_IF_ERROR(step(normalized.back().content));
  }
  parts.added = AddedTokens(std::move(raw), !spec.special_tokens_in_text);
  parts.added_normalized = AddedTokens(std::move(normalized), !spec.special_tokens_in_text);
  RETURN_IF_ERROR(ReadPostProcessor(root["post_processor"], 0, parts.frame));
  for (const auto* ids : {&parts.frame.before, &parts.frame.after}) {
    for (const int32_t id : *ids) {
      if (static_cast<size_t>(id) < vocabulary.known.size() && vocabulary.known[static_cast<size_t>(id)])
        continue;
      return root["post_processor"].Bad(absl::StrCat("id ", id, " is not a token"));
    }
  }
  RETURN_IF_ERROR(ReadDecoder(root["decoder"], 0, parts.decoder));
  parts.join_with_space = root["decoder"].null();
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod, "added_tokens and model.vocab", [&](absl::string_view text) {
                     const auto found = vocabulary.ids.find(std::string(text));
                     return found == vocabulary.ids.end() ? -1 : found->second;
                   }));
  parts.tokens = std::move(vocabulary.tokens);
  if (root["decoder"].type() == "ByteLevel") {  // the bytes of each token, once and for all
    parts.decoder.clear();
    for (std::string& token : parts.tokens) {
      if (std::string bytes; ToBytes(token, bytes)) token = std::move(bytes);
    }
  }
  parts.known = std::move(vocabulary.known);
  return parts;
}

}  // namespace
}  // namespace hf

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeHuggingFaceTokenizer(absl::string_view text,
                                                                    absl::string_view name,
                                                                    const TokenizerSpec& spec) {
  const absl::StatusOr<Json> json = ParseJson(text, hf::kLimits);
  if (!json.ok()) return Annotate(json.status(), name);
  absl::StatusOr<Parts> parts = hf::Read(hf::Node(&*json, ""), spec);
  if (!parts.ok()) return Annotate(parts.status(), name);
  parts->kind = TokenizerKind::kHuggingFace;
  return MakePipeline(*std::move(parts));
}

}  // namespace galley::tokenizer
