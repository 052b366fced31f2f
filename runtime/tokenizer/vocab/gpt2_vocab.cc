#include "runtime/tokenizer/vocab/gpt2_vocab.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/text/byte_chars.h"

namespace galley::tokenizer {
namespace {

using Ids = std::unordered_map<std::string, int32_t>;

constexpr int64_t kMaxTokens = 1 << 22;

std::string Shown(absl::string_view token) {
  constexpr size_t kMost = 60;
  return absl::StrCat("'", absl::Utf8SafeCEscape(token.substr(0, kMost)), token.size() > kMost ? "..." : "",
                      "'");
}

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(name, ": ", what, "; take vocab.json and merges.txt of one GPT-2 style tokenizer"));
}

absl::StatusOr<Ids> ParseVocab(absl::string_view text, absl::string_view name) {
  const absl::StatusOr<Json> json = ParseJson(text, {.values = kMaxTokens + 1});
  if (!json.ok()) return Bad(name, json.status().message());
  if (!json->is_object()) return Bad(name, "not a JSON object");
  if (json->members.empty()) return Bad(name, "no tokens");
  Ids ids;
  ids.reserve(json->members.size());
  for (const auto& [token, id] : json->members) {
    if (id.kind != Json::Kind::kInt || id.integer < 0 || id.integer >= kMaxTokens) {
      return Bad(name, absl::StrCat("the id of token ", Shown(token), " is ", Shown(id.Dump()),
                                    ", not a whole number from 0 to ", kMaxTokens - 1));
    }
    ids.emplace(token, static_cast<int32_t>(id.integer));
  }
  return ids;
}

absl::Status FillTokens(const Ids& ids, absl::string_view name, Gpt2Vocabulary& vocabulary) {
  vocabulary.tokens.resize(ids.size());
  std::vector<bool> taken(ids.size(), false);
  for (const auto& [token, id] : ids) {
    const auto at = static_cast<size_t>(id);
    if (at >= ids.size()) {
      return Bad(name, absl::StrCat("token ", Shown(token), " has id ", id, ", and there are ", ids.size(),
                                    " tokens: ids must be 0 to ", ids.size() - 1));
    }
    if (taken[at]) return Bad(name, absl::StrCat("id ", id, " appears twice, once for ", Shown(token)));
    taken[at] = true;
    std::string& bytes = vocabulary.tokens[at];
    if (!ToBytes(token, bytes)) {
      bytes = token;
    } else if (bytes.size() == 1) {
      vocabulary.alphabet.bytes[static_cast<unsigned char>(bytes[0])] = id;
    }
  }
  for (size_t byte = 0; byte < vocabulary.alphabet.bytes.size(); ++byte) {
    if (vocabulary.alphabet.bytes[byte] < 0) {
      return Bad(name, absl::StrCat("the token of byte 0x", absl::Hex(byte, absl::kZeroPad2), " is missing"));
    }
  }
  return absl::OkStatus();
}

absl::Status ParseMerges(absl::string_view text, absl::string_view name, const Ids& ids,
                         std::vector<BpeMerge>& merges) {
  std::unordered_set<uint64_t> pairs;
  int64_t line_number = 0;
  std::string bytes;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const absl::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.empty() || (line_number == 1 && absl::StartsWith(line, "#version"))) continue;
    const std::string line_name = absl::StrCat(name, ":", line_number);
    const size_t space = line.find(' ');
    if (space == absl::string_view::npos || line.find(' ', space + 1) != absl::string_view::npos) {
      return Bad(line_name, absl::StrCat(Shown(line), " is not two tokens with one space between"));
    }
    const auto id = [&](absl::string_view token) -> absl::StatusOr<int32_t> {
      const auto found = ids.find(std::string(token));
      if (found == ids.end())
        return Bad(line_name, absl::StrCat("token ", Shown(token), " is not in vocab.json"));
      if (token.empty() || !ToBytes(token, bytes)) {
        return Bad(line_name, absl::StrCat("token ", Shown(token), " does not stand for bytes"));
      }
      return found->second;
    };
    BpeMerge merge;
    ASSIGN_OR_RETURN(merge.left, id(line.substr(0, space)));
    ASSIGN_OR_RETURN(merge.right, id(line.substr(space + 1)));
    ASSIGN_OR_RETURN(merge.merged, id(absl::StrCat(line.substr(0, space), line.substr(space + 1))));
    const uint64_t key = static_cast<uint64_t>(merge.left) << 32 | static_cast<uint32_t>(merge.right);
    if (!pairs.insert(key).second)
      return Bad(line_name, absl::StrCat("merge ", Shown(line), " appears twice"));
    merge.rank = static_cast<uint32_t>(merges.size());
    merges.push_back(merge);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Gpt2Vocabulary> ParseGpt2Vocabulary(absl::string_view vocab_json, absl::string_view merges_txt,
                                                   absl::string_view vocab_name,
                                                   absl::string_view merges_name) {
  Gpt2Vocabulary vocabulary;
  ASSIGN_OR_RETURN(vocabulary.ids, ParseVocab(vocab_json, vocab_name));
  RETURN_IF_ERROR(FillTokens(vocabulary.ids, vocab_name, vocabulary));
  RETURN_IF_ERROR(ParseMerges(merges_txt, merges_name, vocabulary.ids, vocabulary.merges));
  return vocabulary;
}

}  // namespace galley::tokenizer
