#include "tests/tokenizers/sample_text.h"

#include <algorithm>

#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

struct Range {
  char32_t first, last;
};
constexpr Range kRanges[] = {{0x01, 0x1f},       {0x21, 0x7e},      {0x7f, 0x9f},     {0xa0, 0x17f},
                             {0x300, 0x36f},     {0x391, 0x3a1},    {0x400, 0x45f},   {0x5d0, 0x5ea},
                             {0x621, 0x64a},     {0x905, 0x939},    {0xe01, 0xe30},   {0x2010, 0x2027},
                             {0x3041, 0x3093},   {0x4e00, 0x9fa5},  {0xac00, 0xd7a3}, {0xff01, 0xff5e},
                             {0x1d400, 0x1d454}, {0x1f600, 0x1f640}};

struct Draw {
  uint64_t state;
  uint64_t operator()(uint64_t n) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % n;
  }
};

}  // namespace

std::string SampleText(uint64_t seed, size_t size, const std::vector<std::string>& snippets) {
  Draw draw{seed * 2654435761 + 1};
  const auto range = [&]() -> const Range& { return kRanges[draw(std::size(kRanges))]; };
  const auto one = [&](const Range& r) {
    return r.first + static_cast<char32_t>(draw(r.last - r.first + 1));
  };
  std::string out;
  while (out.size() < size) {
    const uint64_t kind = draw(16);
    if (kind < 12) {
      out += snippets[draw(snippets.size())];
      if (kind < 8) out += ' ';
    } else if (kind < 15) {
      const Range& r = range();
      for (uint64_t n = 1 + draw(6); n > 0; --n) AppendUtf8(one(r), out);
    } else {
      const char32_t c = one(range());
      for (uint64_t n = 1 + draw(90); n > 0; --n) AppendUtf8(c, out);
    }
  }
  return out;
}

std::string DamagedText(uint64_t seed, size_t size, const std::vector<std::string>& snippets) {
  std::string text = SampleText(seed, size, snippets);
  Draw draw{seed + 1};
  for (size_t n = text.size() / 64; n > 0; --n) {
    const size_t at = draw(text.size());
    const uint64_t value = draw(144);
    text[at] = static_cast<char>(value < 0x80 ? 0x80 + value : value - 0x80);
  }
  return text;
}

std::string ChunkOfText(const std::string& text, size_t chunk, size_t size) {
  const auto cut = [&text](size_t at) {
    while (at > 0 && at < text.size() && (text[at] & 0xc0) == 0x80) ++at;
    return std::min(at, text.size());
  };
  const size_t begin = cut(chunk * size);
  return text.substr(begin, cut((chunk + 1) * size) - begin);
}

}  // namespace galley::tokenizer
