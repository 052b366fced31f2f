#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/vocab/rank_vocabulary.h"

namespace galley::tokenizer {
namespace {

// The names of the first special tokens in files that list none.
constexpr absl::string_view kSpecials[] = {"<unk>",
                                           "<s>",
                                           "</s>",
                                           "[INST]",
                                           "[/INST]",
                                           "[AVAILABLE_TOOLS]",
                                           "[/AVAILABLE_TOOLS]",
                                           "[TOOL_RESULTS]",
                                           "[/TOOL_RESULTS]",
                                           "[TOOL_CALLS]",
                                           "[IMG]",
                                           "<pad>",
                                           "[IMG_BREAK]",
                                           "[IMG_END]",
                                           "[PREFIX]",
                                           "[MIDDLE]",
                                           "[SUFFIX]",
                                           "[SYSTEM_PROMPT]",
                                           "[/SYSTEM_PROMPT]",
                                           "[TOOL_CONTENT]"};

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(name, ": ", what, "; take tekken.json as its makers published it"));
}

// The text of a list's entry, in the key given.
const std::string* Text(const Json& entry, const char* key) {
  const Json* const member = entry.Find(key);
  return member != nullptr && member->is_string() ? &member->text : nullptr;
}

// The first `count` tokens of `vocab`, whose ids come after those of the special tokens.
absl::Status ReadRanked(const Json& vocab, int64_t count, int64_t specials, RankVocabulary& vocabulary) {
  for (int64_t rank = 0; rank < count; ++rank) {
    const std::string* base64 = Text(vocab.items[static_cast<size_t>(rank)], "token_bytes");
    std::string bytes;
    if (base64 == nullptr || !absl::Base64Unescape(*base64, &bytes)) {
      return Bad(vocabulary.name, absl::StrCat("vocab[", rank, "].token_bytes is not base64"));
    }
    vocabulary.ranked.emplace_back(std::move(bytes), static_cast<int32_t>(specials + rank));
  }
  return absl::OkStatus();
}

// Special tokens 0 to count - 1: those of the file's list, else the customary ones; the rest are numbered.
absl::Status ReadSpecials(const Json& json, int64_t count, RankVocabulary& vocabulary) {
  const Json* const list = json.Find("special_tokens");
  const bool listed = list != nullptr && list->is_array();
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    std::string special = absl::StrCat("<SPECIAL_", i, ">");
    if (listed && at < list->items.size()) {
      const std::string* given = Text(list->items[at], "token_str");
      if (given == nullptr) {
        return Bad(vocabulary.name, absl::StrCat("special_tokens[", i, "].token_str is missing"));
      }
      special = *given;
    } else if (!listed && at < std::size(kSpecials)) {
      special = std::string(kSpecials[at]);
    }
    vocabulary.specials.emplace_back(std::move(special), static_cast<int32_t>(i));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTekkenTokenizer(absl::string_view text, absl::string_view name,
                                                               const TokenizerSpec& spec) {
  const absl::StatusOr<Json> json = ParseJson(text, {.values = 6'000'000});  // four a token
  if (!json.ok()) return Bad(name, json.status().message());
  const Json* const config = json->Find("config");
  const Json* const vocab = json->Find("vocab");
  if (config == nullptr || !config->is_object() || vocab == nullptr || !vocab->is_array()) {
    return Bad(name, "it lacks 'config' or 'vocab'");
  }
  const auto number = [&](const char* key) -> int64_t {
    const Json* const member = config->Find(key);
    return member != nullptr && member->kind == Json::Kind::kInt ? member->integer : -1;
  };
  const int64_t size = number("default_vocab_size");
  const int64_t specials = number("default_num_special_tokens");
  if (specials < 0 || size < specials || size - specials > static_cast<int64_t>(vocab->items.size()) ||
      size > (1 << 22)) {
    return Bad(name, absl::StrCat("config.default_vocab_size ", size, " and default_num_special_tokens ",
                                  specials, " do not fit ", vocab->items.size(), " tokens"));
  }
  RankVocabulary vocabulary;
  vocabulary.kind = TokenizerKind::kTekken;
  vocabulary.name = std::string(name);
  vocabulary.bos = "<s>";
  const std::string* pattern = Text(*config, "pattern");
  if (pattern == nullptr) return Bad(name, "config.pattern is missing");
  vocabulary.pattern = *pattern;
  RETURN_IF_ERROR(ReadRanked(*vocab, size - specials, specials, vocabulary));
  RETURN_IF_ERROR(ReadSpecials(*json, specials, vocabulary));
  return MakeRankTokenizer(std::move(vocabulary), spec);
}

}  // namespace galley::tokenizer
