#include "runtime/tokenizer/vocab/rank_vocabulary.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/pipeline/models.h"
#include "runtime/tokenizer/pipeline/pretokenize.h"

namespace galley::tokenizer {
namespace {

constexpr size_t kMaxToken = 512;  // bytes; MergesOf looks up two parts for every cut of every token
constexpr int32_t kMaxId = 1 << 22;

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(name, ": ", what, "; take the file as its makers published it"));
}

std::string Shown(absl::string_view token) {
  return absl::StrCat("'", absl::Utf8SafeCEscape(token.substr(0, 60)), token.size() > 60 ? "..." : "", "'");
}

// All ways to put each token together from two others, at the token's rank.
std::vector<BpeMerge> MergesOf(const std::vector<std::string>& tokens,
                               const std::unordered_map<std::string_view, int32_t>& ids) {
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(token.substr(0, cut));
      if (left == ids.end()) continue;
      const auto right = ids.find(token.substr(cut));
      if (right == ids.end()) continue;
      merges.push_back({left->second, right->second, static_cast<int32_t>(id), static_cast<uint32_t>(id)});
    }
  }
  return merges;
}

// Makes parts.tokens as long as the largest id asks for.
absl::Status SizeTokens(const RankVocabulary& vocabulary, Parts& parts) {
  int32_t last = -1;
  for (const auto* list : {&vocabulary.ranked, &vocabulary.specials}) {
    for (const auto& [text, id] : *list) {
      // The table is as long as the largest id: one hostile line must not ask for gigabytes.
      if (id < 0 || id >= kMaxId) {
        return Bad(vocabulary.name, absl::StrCat("token ", Shown(text), " has id ", id));
      }
      last = std::max(last, id);
    }
  }
  parts.tokens.resize(static_cast<size_t>(last) + 1);
  parts.known.assign(parts.tokens.size(), false);
  return absl::OkStatus();
}

absl::Status TakeToken(absl::string_view name, const std::string& text, int32_t id, Parts& parts) {
  const auto at = static_cast<size_t>(id);
  if (text.empty()) return Bad(name, absl::StrCat("the token of id ", id, " is empty"));
  if (parts.known[at]) {
    return Bad(name, absl::StrCat("id ", id, " appears twice, once for ", Shown(text)));
  }
  parts.known[at] = true;
  parts.tokens[at] = text;
  return absl::OkStatus();
}

// Puts the ranked tokens into parts.tokens; returns the model that merges them.
absl::StatusOr<std::unique_ptr<Model>> TakeRanked(const RankVocabulary& vocabulary, Parts& parts) {
  BpeAlphabet alphabet;
  for (const auto& [text, id] : vocabulary.ranked) {
    if (text.size() > kMaxToken) {
      return Bad(vocabulary.name, absl::StrCat("the token of id ", id, " has ", text.size(),
                                               " bytes, at most ", kMaxToken, " are taken"));
    }
    RETURN_IF_ERROR(TakeToken(vocabulary.name, text, id, parts));
    if (text.size() == 1) alphabet.bytes[static_cast<unsigned char>(text[0])] = id;
  }
  std::unordered_map<std::string_view, int32_t> ids;
  for (const auto& [text, id] : vocabulary.ranked) {
    if (!ids.emplace(parts.tokens[static_cast<size_t>(id)], id).second) {
      return Bad(vocabulary.name, absl::StrCat("token ", Shown(text), " appears twice"));
    }
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (alphabet.bytes[byte] >= 0) continue;
    return Bad(vocabulary.name,
               absl::StrCat("the token of byte 0x", absl::Hex(byte, absl::kZeroPad2), " is missing"));
  }
  const std::vector<BpeMerge> merges = MergesOf(parts.tokens, ids);
  return MakeBpeModel(Bpe(std::move(alphabet), merges, parts.tokens, true));
}

absl::Status TakeSpecials(const RankVocabulary& vocabulary, Parts& parts) {
  for (const auto& [text, id] : vocabulary.specials) {
    RETURN_IF_ERROR(TakeToken(vocabulary.name, text, id, parts));
    if (text == vocabulary.bos) parts.frame.before = {id};
  }
  return absl::OkStatus();
}

std::vector<AddedToken> SpecialsAsAdded(const RankVocabulary& vocabulary) {
  std::vector<AddedToken> added;
  for (const auto& [text, id] : vocabulary.specials) {
    AddedToken token;
    token.content = text;
    token.id = id;
    token.special = true;
    added.push_back(std::move(token));
  }
  return added;
}

}  // namespace

std::vector<std::pair<std::string, int32_t>> CustomarySpecials(absl::string_view pattern, int32_t ranks) {
  if (pattern == "gpt2") return {{"<|endoftext|>", 50256}};
  if (pattern == "cl100k") {
    return {{"<|endoftext|>", 100257},
            {"<|fim_prefix|>", 100258},
            {"<|fim_middle|>", 100259},
            {"<|fim_suffix|>", 100260},
            {"<|endofprompt|>", 100276}};
  }
  if (pattern == "o200k") return {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}};
  std::vector<std::pair<std::string, int32_t>> specials;
  if (pattern != "llama3") return specials;
  constexpr absl::string_view kNames[] = {"begin_of_text",
                                          "end_of_text",
                                          "reserved_special_token_0",
                                          "reserved_special_token_1",
                                          "finetune_right_pad_id",
                                          "step_id",
                                          "start_header_id",
                                          "end_header_id",
                                          "eom_id",
                                          "eot_id",
                                          "python_tag",
                                          "image"};
  for (int32_t i = 0; i < 256; ++i) {
    const auto at = static_cast<size_t>(i);
    specials.emplace_back(at < std::size(kNames) ? absl::StrCat("<|", kNames[at], "|>")
                                                 : absl::StrCat("<|reserved_special_token_", i - 10, "|>"),
                          ranks + i);
  }
  return specials;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeRankTokenizer(RankVocabulary vocabulary,
                                                             const TokenizerSpec& spec) {
  Parts parts;
  parts.kind = vocabulary.kind;
  RETURN_IF_ERROR(SizeTokens(vocabulary, parts));
  // Special tokens come last: the model must not know them, or it would make them of text.
  ASSIGN_OR_RETURN(parts.model, TakeRanked(vocabulary, parts));
  RETURN_IF_ERROR(TakeSpecials(vocabulary, parts));
  parts.added = AddedTokens(SpecialsAsAdded(vocabulary), !spec.special_tokens_in_text);
  ASSIGN_OR_RETURN(parts.eod, FindEod(spec.eod, vocabulary.name, [&](absl::string_view text) {
                     for (const auto& [special, id] : vocabulary.specials) {
                       if (special == text) return id;
                     }
                     return -1;
                   }));
  parts.scanner = NamedSplit(vocabulary.pattern);
  if (parts.scanner == nullptr) parts.scanner = KnownPattern(vocabulary.pattern);
  if (parts.scanner == nullptr) {
    absl::StatusOr<Regex> regex = Regex::Compile(vocabulary.pattern, Regex::Dialect::kRust);
    if (!regex.ok()) return Annotate(regex.status(), vocabulary.name);
    parts.steps.push_back(SplitStep(RegexMatches(*std::move(regex)), SplitBehavior::kRemoved, true));
  }
  return MakePipeline(std::move(parts));
}

}  // namespace galley::tokenizer
