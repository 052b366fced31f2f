#include "tests/tokenizers/sample_text.h"

#include "runtime/tokenizer/unicode.h"

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

}  // namespace

std::string SampleText(uint64_t seed, size_t size, const std::vector<std::string>& snippets) {
  uint64_t state = seed * 2654435761 + 1;
  const auto draw = [&](uint64_t n) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % n;
  };
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

}  // namespace galley::tokenizer
