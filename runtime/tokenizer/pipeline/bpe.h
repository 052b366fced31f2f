// Byte pair encoding of one piece of text: starting from its bytes or characters, the adjacent pair of lowest
// rank, leftmost first, becomes one token, until no pair has a rank.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"

namespace galley::tokenizer {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t merged = 0;
  uint32_t rank = 0;  // several pairs may share one: the leftmost then goes first
};

// The tokens that a piece begins as.
struct BpeAlphabet {
  // The id of each byte: what pieces begin from when `chars` is empty, and else what a character without a
  // token of its own becomes (byte fallback) where all its bytes have one. -1: none.
  std::array<int32_t, 256> bytes;
  // By code point, -1 or beyond the end: no token.
  std::vector<int32_t> chars;
  // What other characters become, neighbours together when `fuse_unknown`. -1: they are dropped.
  int32_t unknown = -1;
  bool fuse_unknown = false;

  BpeAlphabet() { bytes.fill(-1); }
  void SetChar(char32_t code, int32_t id);
};

// Immutable and thread-safe.
class Bpe {
 public:
  // `tokens` holds the text of each id, empty for ids that no piece can be. `whole_first`: a piece that is a
  // token becomes that token, wherever merging would end. REQUIRES: ids in [0, tokens.size()); every byte has
  // an id when there are no chars. Of two merges of one pair the later holds.
  Bpe(BpeAlphabet alphabet, const std::vector<BpeMerge>& merges, const std::vector<std::string>& tokens,
      bool whole_first);
  // Whether no merge crosses from another character to `mark`, so that a text may be cut before it.
  bool CutsBefore(absl::string_view mark, const std::vector<BpeMerge>& merges,
                  const std::vector<std::string>& tokens) const;

 private:
  friend class BpeEncoder;
  struct Pair {
    uint64_t key = kNoKey;  // left << 32 | right
    uint32_t rank = 0;
    int32_t merged = 0;
  };
  // Tokens of up to 16 bytes that are found whole in one look: most pieces of a text.
  struct Whole {
    uint64_t low = 0;  // the bytes, zeros after them
    uint64_t high = 0;
    int32_t id = -1;
    uint32_t length = 0;
  };
  static constexpr uint64_t kNoKey = ~uint64_t{0};

  const Pair* FindPair(int32_t left, int32_t right) const;
  void Symbols(const char* p, size_t length, std::vector<int32_t>& symbols) const;

  BpeAlphabet alphabet_;
  std::vector<Pair> pairs_;  // open addressing, a power of two
  std::vector<Whole> wholes_;
  std::unordered_map<std::string, int32_t> long_wholes_;  // of more than 16 bytes, with `whole_first` only
  size_t longest_whole_ = 0;
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
    int32_t left;  // position of the left token
    int32_t left_id;
    int32_t right_id;
    int32_t merged;
  };

  void Merge(const char* p, size_t length, std::vector<int32_t>& ids);
  void MergeShort(size_t n, std::vector<int32_t>& ids);
  void MergeLong(std::vector<int32_t>& ids);

  const Bpe& bpe_;
  std::vector<Bpe::Whole> common_;  // of fixed size: tokens that were found whole, so few that they stay near
  std::vector<Cached> cache_;       // of fixed size, made at the first piece that is not a token
  std::vector<int32_t> symbols_;
  std::vector<Link> links_;
  std::vector<Candidate> heap_;
};

}  // namespace galley::tokenizer
