#include "runtime/tokenizer/pipeline/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace galley::tokenizer {
namespace {

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
    // Merges in any order of rank: a token's own parts may
    // rank after it, so that a token need not be found whole.
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

}  // namespace
}  // namespace galley::tokenizer
