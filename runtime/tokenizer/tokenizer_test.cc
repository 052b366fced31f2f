#define PCRE2_CODE_UNIT_WIDTH 8
#include "runtime/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcre2.h>

#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/tokenizer/pipeline/bpe.h"
#include "runtime/tokenizer/split/split.h"
#include "runtime/tokenizer/testing.h"
#include "runtime/tokenizer/text/regex.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// The visible character of a byte, as vocab.json writes it.
std::string Visible(int byte) {
  int next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool visible = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    const int code = visible ? b : next++;
    if (b != byte) continue;
    std::string out;
    AppendUtf8(static_cast<char32_t>(code), out);
    return out;
  }
  return "";
}

std::string Quoted(const std::string& token) {
  return absl::StrCat("\"", absl::StrReplaceAll(token, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

using Merges = std::vector<std::pair<std::string, std::string>>;

// A vocabulary of the 256 bytes (ids 0 to 255 in byte order) and the given merges, each of two written
// tokens.
struct SmallVocabulary {
  explicit SmallVocabulary(const Merges& merges) {
    for (int b = 0; b < 256; ++b) Add(Visible(b));
    for (const auto& [left, right] : merges) {
      absl::StrAppend(&merges_txt, left, " ", right, "\n");
      Add(left + right);
    }
  }
  void Add(const std::string& token) {
    if (!ids.emplace(token, static_cast<int>(ids.size())).second) return;
    absl::StrAppend(&entries, entries.empty() ? "" : ",", Quoted(token), ":", ids.size() - 1);
  }
  std::string json() const { return "{" + entries + "}"; }
  absl::StatusOr<std::unique_ptr<Tokenizer>> Make() const {
    return MakeGpt2Tokenizer(json(), merges_txt, "vocab.json", "merges.txt");
  }
  std::map<std::string, int> ids;
  std::string entries;
  std::string merges_txt = "#version: 0.2\n";
};

std::vector<int32_t> Encode(const Tokenizer& tokenizer, absl::string_view text) {
  std::vector<int32_t> ids;
  EXPECT_TRUE(tokenizer.NewEncoder()->Encode(text, ids).ok());
  return ids;
}

std::string Decode(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string text;
  EXPECT_TRUE(tokenizer.Decode(ids, text).ok());
  return text;
}

std::vector<std::string> Pieces(const std::string& text) {
  std::vector<std::string> pieces;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const size_t length = Gpt2Piece(p, end);
    pieces.emplace_back(p, length);
    p += length;
  }
  return pieces;
}

// The same pattern through PCRE2; \s is spelled out, since PCRE2's own takes U+180E, which White_Space does
// not.
class Oracle {
 public:
  Oracle() {
    const std::string s =
        "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"
        "\\x{3000}";
    const std::string pattern = absl::StrCat("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^", s,
                                             "\\p{L}\\p{N}]+|[", s, "]+(?![^", s, "])|[", s, "]+");
    int error = 0;
    PCRE2_SIZE at = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                          &error, &at, nullptr);
    EXPECT_NE(code_, nullptr) << error << " at " << at;
    match_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  ~Oracle() {
    pcre2_match_data_free(match_);
    pcre2_code_free(code_);
  }
  std::vector<std::string> Pieces(const std::string& text) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                    PCRE2_ANCHORED, match_, nullptr);
      EXPECT_GT(found, 0) << "no match at " << at;
      if (found <= 0) break;
      const size_t end = pcre2_get_ovector_pointer(match_)[1];
      pieces.push_back(text.substr(at, end - at));
      at = end;
    }
    return pieces;
  }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_data* match_ = nullptr;
};

// A character that came after PCRE2's Unicode 14.
bool Later(char32_t code) {
  static const Regex unassigned = *Regex::Compile("\\p{Cn}", Regex::Dialect::kOniguruma);
  std::string c;
  AppendUtf8(code, c);
  bool found = false;
  EXPECT_TRUE(unassigned.ForEach(c, [&](size_t, size_t) { found = true; }).ok());
  return found;
}

TEST(UnicodeTest, ClassesAgreeWithPcre2OnEveryCharacter) {
  char version[32];
  pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
  if (std::string(version) != "14.0.0") GTEST_SKIP() << "PCRE2 here is of Unicode " << version;
  Oracle oracle;
  int spaces = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    // After an 'a', a letter joins it; a number, a space and another begin pieces that "1", " " and "!" tell
    // apart.
    std::string c;
    AppendUtf8(code, c);
    if (Later(code)) continue;
    const CharClass kind = ClassOf(code);
    spaces += kind == CharClass::kSpace;
    const char* const before = IsLetter(kind) ? "a" : kind == CharClass::kNumber ? "1" : "!";
    if (kind == CharClass::kSpace) {
      ASSERT_EQ(oracle.Pieces("a" + c + c + "a").size(), c == " " ? 3u : 4u) << std::hex << uint32_t{code};
    } else {
      ASSERT_EQ(oracle.Pieces(before + c).size(), 1u) << std::hex << uint32_t{code};
    }
  }
  EXPECT_EQ(spaces, 25);
}

TEST(UnicodeTest, DecodesStrictly) {
  const auto length = [](const std::string& bytes) {
    return DecodeUtf8(bytes.data(), bytes.data() + bytes.size()).length;
  };
  EXPECT_EQ(length("a"), 1);
  EXPECT_EQ(length("\xc3\xa9"), 2);
  EXPECT_EQ(length("\xe2\x82\xac"), 3);
  EXPECT_EQ(length("\xf0\x9f\xa6\x99"), 4);
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xe2\x82", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(length(bad), 0);
  }
}

TEST(Gpt2SplitTest, KnownPieces) {
  EXPECT_THAT(
      Pieces("Hello  world\n\n  foo(123) don't DON'T"),
      ElementsAre("Hello", " ", " world", "\n\n ", " foo", "(", "123", ")", " don", "'t", " DON", "'", "T"));
  EXPECT_THAT(Pieces("'s 's it's''ll"), ElementsAre("'s", " '", "s", " it", "'s", "''", "ll"));
  EXPECT_THAT(Pieces("   "), ElementsAre("   "));
  EXPECT_THAT(Pieces("a \n"), ElementsAre("a", " \n"));
  EXPECT_THAT(Pieces("a\u3000\u3000b"), ElementsAre("a", "\u3000", "\u3000", "b"));
  EXPECT_THAT(Pieces("\xff\xfe a\x80z"), ElementsAre("\xff\xfe", " a", "\x80", "z"));
}

TEST(Gpt2SplitTest, AgreesWithPcre2OnRandomText) {
  Oracle oracle;
  std::mt19937 random(11);
  const std::vector<std::string> alphabet = {
      " ",      " ",      "\n",     "\t",     "\r",     "'",      "s",          "t",
      "re",     "ll",     "e",      "v",      "d",      "m",      "A",          "z",
      "0",      "9",      "!",      "(",      "\u00e9", "\u65e5", "\u0661",     "\u00bd",
      "\u3000", "\u00a0", "\u0085", "\u180e", "\u200b", "\u0301", "\U0001f999", "\U0001d7d8"};
  for (int round = 0; round < 50000; ++round) {
    std::string text;
    for (size_t n = 1 + random() % 14; n > 0; --n) text += alphabet[random() % alphabet.size()];
    ASSERT_EQ(Pieces(text), oracle.Pieces(text)) << text;
  }
}

TEST(ByteTokenizerTest, EveryByteIsItsOwnId) {
  const std::unique_ptr<Tokenizer> tokenizer = MakeByteTokenizer();
  std::string all;
  for (int b = 0; b < 256; ++b) all.push_back(static_cast<char>(b));
  const std::vector<int32_t> ids = Encode(*tokenizer, all);
  for (int b = 0; b < 256; ++b) EXPECT_EQ(ids[static_cast<size_t>(b)], b);
  EXPECT_EQ(Decode(*tokenizer, ids), all);
  EXPECT_EQ(tokenizer->vocab(), 256);
  EXPECT_FALSE(tokenizer->eod().has_value());
  std::string text;
  EXPECT_ERROR(tokenizer->Decode(std::vector<int32_t>{65, 256}, text), "id 256 is no byte");
}

// Rank by rank over the whole piece: slow and plain.
std::vector<int32_t> PlainMerge(const std::string& piece, const std::vector<BpeMerge>& merges) {
  std::vector<int32_t> ids;
  for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
  while (true) {
    size_t best_rank = merges.size();
    size_t best_at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t r = 0; r < best_rank; ++r) {
        if (merges[r].left == ids[i] && merges[r].right == ids[i + 1]) {
          best_rank = r;
          best_at = i;
        }
      }
    }
    if (best_rank == merges.size()) return ids;
    ids[best_at] = merges[best_rank].merged;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(best_at) + 1);
  }
}

TEST(BpeTest, ShortAndLongPiecesMergeAsThePlainRule) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    // Merges in any order of rank: a token's own parts may rank after it, so that a token need not be found
    // whole.
    std::vector<std::string> tokens;
    std::array<int32_t, 256> byte_ids;
    for (int b = 0; b < 256; ++b) {
      byte_ids[static_cast<size_t>(b)] = b;
      tokens.emplace_back(1, static_cast<char>(b));
    }
    std::map<std::string, int32_t> ids;
    for (size_t i = 0; i < tokens.size(); ++i) ids[tokens[i]] = static_cast<int32_t>(i);
    std::vector<std::string> pool = {"a", "b", "c"};
    std::map<std::pair<int32_t, int32_t>, int32_t> pairs;
    for (int m = 0; m < 25; ++m) {
      const std::string left = pool[random() % pool.size()], right = pool[random() % pool.size()];
      if (left.size() + right.size() > 20) continue;
      const auto [at, added] = ids.emplace(left + right, static_cast<int32_t>(tokens.size()));
      if (added) {
        tokens.push_back(left + right);
        pool.push_back(left + right);
      }
      pairs[{ids[left], ids[right]}] = at->second;
    }
    std::vector<BpeMerge> merges;
    for (const auto& [pair, merged] : pairs) merges.push_back({pair.first, pair.second, merged, 0});
    std::shuffle(merges.begin(), merges.end(), random);
    for (size_t r = 0; r < merges.size(); ++r) merges[r].rank = static_cast<uint32_t>(r);
    BpeAlphabet alphabet;
    alphabet.bytes = byte_ids;
    const Bpe bpe(alphabet, merges, tokens, false);
    BpeEncoder encoder(bpe);
    for (int t = 0; t < 60; ++t) {
      std::string piece;
      for (size_t n = 1 + random() % (t % 4 == 0 ? 200 : 24); n > 0; --n) {
        piece.push_back(static_cast<char>('a' + random() % 3));
      }
      std::vector<int32_t> got;
      encoder.Encode(piece.data(), piece.size(), piece.data() + piece.size(), got);
      ASSERT_EQ(got, PlainMerge(piece, merges)) << piece;
    }
  }
}

TEST(BpeTest, AMillionBytesWithoutABreakTakeNoSquareOfTime) {
  const SmallVocabulary vocabulary({{"a", "a"}, {"aa", "aa"}, {"aaaa", "aaaa"}});
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text(1 << 20, 'a');
  const std::vector<int32_t> ids = Encode(**tokenizer, text);
  EXPECT_EQ(ids.size(), text.size() / 8);
  EXPECT_EQ(Decode(**tokenizer, ids), text);
}

TEST(Gpt2TokenizerTest, SmallVocabularyMergesByRankAndComesBack) {
  const SmallVocabulary vocabulary({{"h", "e"}, {"l", "l"}, {"he", "ll"}, {"Ġ", "he"}});
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(Encode(**tokenizer, "hell he hel"), ElementsAre(258, 259, 259, 'l'));
  EXPECT_FALSE((*tokenizer)->eod().has_value());
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t n = random() % 40; n > 0; --n) {
      text.push_back(static_cast<char>(random() % 3 == 0 ? random() % 256 : "hel "[random() % 4]));
    }
    EXPECT_EQ(Decode(**tokenizer, Encode(**tokenizer, text)), text);
  }
  std::string text;
  EXPECT_ERROR((*tokenizer)->Decode(std::vector<int32_t>{260}, text),
               "id 260 is outside its vocabulary of 260");
}

TEST(Gpt2TokenizerTest, AddedTokensDecodeButAreNotMadeFromText) {
  SmallVocabulary vocabulary(Merges{{"h", "e"}});
  vocabulary.Add("<|endoftext|>");
  vocabulary.Add("two words");
  const auto tokenizer = vocabulary.Make();
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->eod(), 257);
  EXPECT_EQ(Decode(**tokenizer, {257, 258}), "<|endoftext|>two words");
  EXPECT_EQ(Encode(**tokenizer, "<|endoftext|>").size(), 13u);
}

TEST(Gpt2TokenizerTest, HostileFilesAreNamedWithTheirPlace) {
  const SmallVocabulary good(Merges{{"h", "e"}});
  const auto vocab = [&](const std::string& json) {
    return MakeGpt2Tokenizer(json, good.merges_txt, "v.json", "m.txt").status();
  };
  EXPECT_ERROR(vocab(""), "v.json: offset 1: no valid JSON");
  EXPECT_ERROR(vocab("[]"), "v.json: ");
  EXPECT_ERROR(vocab("7"), "v.json: the text is a number");
  EXPECT_ERROR(vocab("{}"), "v.json: no tokens");
  EXPECT_ERROR(vocab("{\"a\":{}}"), "a value is an object");
  EXPECT_ERROR(vocab("{\"a\":\"b\"}"), "the id of token 'a' is a text");
  EXPECT_ERROR(vocab("{\"a\":-1}"), "the id of token 'a' is negative");
  EXPECT_ERROR(vocab("{\"a\":1.5}"), "no whole number");
  EXPECT_ERROR(vocab("{\"a\":0,\"a\":1}"), "token 'a' stands twice");
  EXPECT_ERROR(vocab("{\"a\":0,\"b\":0}"), "id 0 stands twice");
  EXPECT_ERROR(vocab("{\"a\":1}"), "ids must be 0 to 0");
  EXPECT_ERROR(vocab("{\"a\":4000000000}"), "token 'a' has id 4000000000");
  EXPECT_ERROR(vocab("{\"a\":0}"), "the token of byte 0x00 is missing");
  EXPECT_ERROR(vocab(std::string(100000, '{')), "v.json: ");
  const auto merges = [&](const std::string& text) {
    return MakeGpt2Tokenizer(good.json(), text, "v.json", "m.txt").status();
  };
  EXPECT_ERROR(merges("#version: 0.2\nh e\nhe"), "m.txt:3: 'he' is not two tokens");
  EXPECT_ERROR(merges("h e x"), "m.txt:1: 'h e x' is not two tokens");
  EXPECT_ERROR(merges("h zz"), "m.txt:1: token 'zz' is not in vocab.json");
  EXPECT_ERROR(merges("h h"), "m.txt:1: token 'hh' is not in vocab.json");
  EXPECT_ERROR(merges("h e\nh e"), "m.txt:2: merge 'h e' stands twice");
  EXPECT_ERROR(merges(" e"), "m.txt:1: token '' is not in vocab.json");
  EXPECT_TRUE(merges("").ok());
}

TEST(TokenizerTest, IsMadeFromFilesOrTheCommandLine) {
  EXPECT_EQ((*MakeTokenizer(*ParseTokenizer("bytes")))->kind(), TokenizerKind::kBytes);
  EXPECT_EQ(ParseTokenizer("gpt2:/x/y")->vocab, "/x/y/vocab.json");
  EXPECT_ERROR(ParseTokenizer("gpt2:").status(), "is not known");
  EXPECT_ERROR(ParseTokenizer("sentencepiece").status(), "write bytes, gpt2:DIR");
  EXPECT_ERROR(MakeTokenizer(*ParseTokenizer("gpt2:/nowhere")).status(), "/nowhere/vocab.json: no such file");
}

// What the table says of kinds is all that the command line knows.
TEST(TokenizerTest, EveryKindOfOneFileIsNamedOnTheCommandLine) {
  for (const KindInfo& info : Kinds()) {
    EXPECT_EQ(&Info(info.kind), &info) << info.name;
    EXPECT_EQ(Name(info.kind), info.name);
    if (info.files != KindFiles::kFile) continue;
    const auto spec = ParseTokenizer(absl::StrCat(info.name, ":/x/y"));
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->kind, info.kind);
    EXPECT_THAT(FilesOf(*spec), ElementsAreArray({"/x/y"}));
    EXPECT_ERROR(MakeTokenizer({.kind = info.kind}).status(),
                 absl::StrCat("tokenizer ", info.name, ": name its file"));
  }
  EXPECT_EQ(NamesOfKinds(KindFiles::kFile), "huggingface, tiktoken, tekken, sentencepiece or wordpiece");
}

TEST(TokenizerTest, AFileIsOfOneKindAtMost) {
  const std::pair<const char*, std::optional<TokenizerKind>> files[] = {
      {" {\"model\": {}}", TokenizerKind::kHuggingFace},
      {"{\"default_vocab_size\": 7}", TokenizerKind::kTekken},
      {"\n\x0f\n\x05piece", TokenizerKind::kSentencePiece},
      {"[PAD]\n[UNK]\n", TokenizerKind::kWordPiece},
      {"IQ== 0\nIg== 1\n", TokenizerKind::kTiktoken},
      {"a text\n", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, kind] : files) {
    EXPECT_EQ(Recognise(text), kind) << text;
    int64_t takers = 0;
    for (const KindInfo& info : Kinds()) takers += info.recognises != nullptr && info.recognises(text);
    EXPECT_EQ(takers, kind.has_value() ? 1 : 0) << text;
  }
}

// Ids of the published GPT-2 tokenizer.
TEST(Gpt2TokenizerTest, GoldenIdsOfTheRealVocabulary) {
  const std::string vocab = SharedFile("data/tokenizers/gpt2/vocab.json");
  if (vocab.empty()) GTEST_SKIP() << "no GPT-2 vocabulary on this machine";
  const auto tokenizer = MakeTokenizer({.kind = TokenizerKind::kGpt2,
                                        .vocab = vocab,
                                        .merges = SharedFile("data/tokenizers/gpt2/merges.txt")});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab(), 50257);
  EXPECT_EQ((*tokenizer)->eod(), 50256);
  const std::vector<std::pair<std::string, std::vector<int32_t>>> golden = {
      {"Hello world", {15496, 995}},
      {" leading", {3756}},
      {"1234567", {10163, 2231, 3134}},
      {"   ", {220, 220, 220}},
      {"日本語 café 🦙", {33768, 98, 17312, 105, 45739, 252, 40304, 12520, 99, 247}},
      {"\t\ttabs\r\nCRLF  ", {197, 197, 8658, 82, 201, 198, 34, 7836, 37, 220, 220}},
      {"Hello  world\n\n  foo(123456) don't DON'T",
       {15496, 220, 995, 628, 220, 22944, 7, 10163, 29228, 8, 836, 470, 23917, 6, 51}},
      {"<|endoftext|> x", {27, 91, 437, 1659, 5239, 91, 29, 2124}},
  };
  for (const auto& [text, ids] : golden) {
    EXPECT_THAT(Encode(**tokenizer, text), ElementsAreArray(ids)) << text;
    EXPECT_EQ(Decode(**tokenizer, ids), text);
  }
  // Every token that is valid text comes back, alone and inside a text.
  std::string everything;
  for (int32_t id = 0; id < 50257; ++id) everything += Decode(**tokenizer, {id});
  EXPECT_EQ(Decode(**tokenizer, Encode(**tokenizer, everything)), everything);
}

}  // namespace
}  // namespace galley::tokenizer
