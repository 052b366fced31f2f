// Byte pair encoding of one piece of text: starting from its bytes, the adjacent pair of lowest rank,
// leftmost first, becomes one token, until no pair has a rank.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace galley::data {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t merged = 0;
};

// Immutable and thread-safe.
class Bpe {
 public:
  // `merges` by rank; `tokens` holds the bytes of each id. REQUIRES: ids in [0, tokens.size()), no pair
  // twice.
  Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
      const std::vector<std::string>& tokens);

 private:
  friend class BpeEncoder;
  struct Pair {
    uint64_t key = kNoKey;  // left << 32 | right
    uint32_t rank = 0;
    int32_t merged = 0;
  };
  // Tokens of up to 16 bytes whose merging ends in themselves, found in one look: most pieces of a text.
  struct Whole {
    uint64_t low = 0;  // the bytes, zeros after them
    uint64_t high = 0;
    int32_t id = -1;
    uint32_t length = 0;
  };
  static constexpr uint64_t kNoKey = ~uint64_t{0};

  const Pair* FindPair(int32_t left, int32_t right) const;

  std::array<int32_t, 256> byte_ids_;
  std::vector<Pair> pairs_;  // open addressing, a power of two
  std::vector<Whole> wholes_;
  uint64_t pair_mask_ = 0;
  uint64_t whole_mask_ = 0;
};

// One a thread: work space and a cache of fixed size.
class BpeEncoder {
 public:
  explicit BpeEncoder(const Bpe& bpe);
  // Appends the ids of [p, p + length), length > 0. `end` is the end of the readable text around it.
  void Encode(const char* p, size_t length, const char* end, std::vector<int32_t>& ids);

 private:
  friend class Bpe;
  static constexpr size_t kCachedIds = 6;
  struct Cached {
    uint64_t low = 0;
    uint64_t high = 0;
    uint32_t length = 0;  // 0: empty
    uint32_t count = 0;
    std::array<int32_t, kCachedIds> ids{};
  };
  struct Link {  // of a list of tokens in a long piece
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t left;  // place of the left token
    int32_t left_id;
    int32_t right_id;
    int32_t merged;
  };

  void Merge(const char* p, size_t length, std::vector<int32_t>& ids);
  void MergeLong(const char* p, size_t length, std::vector<int32_t>& ids);

  const Bpe& bpe_;
  std::vector<Cached> cache_;  // of fixed size, made at the first piece that is no token
  std::vector<Link> links_;
  std::vector<Candidate> heap_;
};

}  // namespace galley::data
