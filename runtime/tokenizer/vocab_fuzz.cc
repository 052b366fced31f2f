// Any bytes as vocab.json, merges.txt and a text, parted by bytes 0xff,
// which no UTF-8 holds. Inputs that begin with '+' get a sound vocabulary of
// 256 bytes and 26 words instead of vocab.json, so that merges are reached.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/check.h"
#include "runtime/base/utf8.h"
#include "runtime/tokenizer/tokenizer.h"

namespace {

std::string SoundVocabulary() {
  std::string json = "{";
  uint32_t other = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    std::string token;
    if (byte == '"' || byte == '\\') token = "\\";
    galley::AppendUtf8(visible ? byte : other++, token);
    absl::StrAppend(&json, "\"", token, "\":", byte, ",");
  }
  int id = 256;
  for (const char* word : {"ab",   "ba",   "aa",   "bb",   "aab",  "aba",   "abb",    "baa",     "bab",
                           "bba",  "aaa",  "bbb",  "abab", "aaaa", "bbbb",  "abba",   "baab",    "aabb",
                           "bbaa", "abbb", "baaa", "aaab", "bbba", "babab", "ababab", "abbaabba"}) {
    absl::StrAppend(&json, "\"", word, "\":", id, id + 1 == 256 + 26 ? "}" : ",");
    ++id;
  }
  return json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> parts = absl::StrSplit(input, absl::MaxSplits('\xff', 2));
  parts.resize(3);
  static const std::string* const sound = new std::string(SoundVocabulary());
  const std::string& vocab = !input.empty() && input[0] == '+' ? *sound : parts[0];
  const auto tokenizer = galley::tokenizer::MakeGpt2Tokenizer(vocab, parts[1], "vocab.json", "merges.txt");
  if (!tokenizer.ok()) return 0;
  std::vector<int32_t> ids;
  CHECK((*tokenizer)->NewEncoder()->Encode(parts[2], ids).ok());
  std::string text;
  CHECK((*tokenizer)->Decode(ids, text).ok());
  CHECK(text == parts[2]);
  return 0;
}
