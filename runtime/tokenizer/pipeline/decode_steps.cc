#include "runtime/tokenizer/pipeline/decode_steps.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "runtime/tokenizer/text/byte_chars.h"

namespace galley::tokenizer {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// WordPiece's cleanup: no space before punctuation and in contractions. In the order of Hugging Face's, since
// each replacement sees what the ones before left.
void CleanUp(std::string& text) {
  text = absl::StrReplaceAll(text, {{" .", "."}});
  for (const auto& [from, to] :
       {std::pair{" ?", "?"}, std::pair{" !", "!"}, std::pair{" ,", ","}, std::pair{" ' ", "'"},
        std::pair{" n't", "n't"}, std::pair{" 'm", "'m"}, std::pair{" do not", " don't"},
        std::pair{" 's", "'s"}, std::pair{" 've", "'ve"}, std::pair{" 're", "'re"}}) {
    text = absl::StrReplaceAll(text, {{from, to}});
  }
}

}  // namespace

int ByteOfFallback(absl::string_view token) {
  if (token.size() != 6 || !absl::StartsWith(token, "<0x") || token[5] != '>') return -1;
  const int high = HexDigit(token[3]), low = HexDigit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

DecodeStep ByteLevelDecode() {
  return [](std::vector<std::string>& tokens, bool) {
    std::string text, bytes;
    for (const std::string& token : tokens) text += ToBytes(token, bytes) ? bytes : token;
    tokens = {std::move(text)};
  };
}

DecodeStep ByteFallbackDecode() {
  return [](std::vector<std::string>& tokens, bool) {
    for (std::string& token : tokens) {
      if (const int byte = ByteOfFallback(token); byte >= 0) token = std::string(1, static_cast<char>(byte));
    }
  };
}

DecodeStep FuseDecode() {
  return [](std::vector<std::string>& tokens, bool) {
    std::string text;
    for (const std::string& token : tokens) text += token;
    tokens = {std::move(text)};
  };
}

DecodeStep StripDecode(std::string content, int start, int stop) {
  return [content = std::move(content), start, stop](std::vector<std::string>& tokens, bool continued) {
    for (std::string& token : tokens) {
      absl::string_view left = token;
      for (int i = 0; i < start && !continued; ++i) {
        if (!absl::ConsumePrefix(&left, content)) break;
      }
      for (int i = 0; i < stop; ++i) {
        if (!absl::ConsumeSuffix(&left, content)) break;
      }
      token = std::string(left);
    }
  };
}

DecodeStep ReplaceDecode(std::string literal, std::string content) {
  return [step = std::pair(std::move(literal), std::move(content))](std::vector<std::string>& tokens, bool) {
    for (std::string& token : tokens) {
      if (!step.first.empty()) token = absl::StrReplaceAll(token, {{step.first, step.second}});
    }
  };
}

DecodeStep ReplaceRegexDecode(Regex regex, std::string content) {
  return [regex = std::move(regex), content = std::move(content)](std::vector<std::string>& tokens, bool) {
    for (std::string& token : tokens) {
      std::string out;
      size_t done = 0;
      const absl::Status status = regex.ForEach(token, [&](size_t begin, size_t end) {
        out.append(token, done, begin - done);
        out += content;
        done = end;
      });
      out.append(token, done);
      if (status.ok()) token = std::move(out);
    }
  };
}

DecodeStep MetaspaceDecode(std::string mark, bool prepended) {
  return [mark = std::move(mark), prepended](std::vector<std::string>& tokens, bool continued) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string token = absl::StrReplaceAll(tokens[i], {{mark, " "}});
      if (i == 0 && prepended && !continued && absl::StartsWith(token, " ")) token.erase(0, 1);
      tokens[i] = std::move(token);
    }
  };
}

DecodeStep WordPieceDecode(std::string prefix, bool cleanup) {
  return [prefix = std::move(prefix), cleanup](std::vector<std::string>& tokens, bool continued) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 || continued) {
        absl::string_view token = tokens[i];
        tokens[i] = absl::ConsumePrefix(&token, prefix) ? std::string(token) : " " + tokens[i];
      }
      if (cleanup) CleanUp(tokens[i]);
    }
  };
}

}  // namespace galley::tokenizer
