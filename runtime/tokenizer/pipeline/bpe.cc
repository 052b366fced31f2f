#include "runtime/tokenizer/pipeline/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr size_t kKeyBytes = 16;
constexpr size_t kShort = 64;            // bytes; longer pieces take the heap, since scanning is quadratic
constexpr size_t kCacheSize = 1 << 14;   // one piece for each hash, the last one seen: nothing to look after
constexpr size_t kCommonSize = 1 << 12;  // 96 KiB; the table of a large vocabulary is beyond the near caches

struct Key {
  uint64_t low = 0;
  uint64_t high = 0;
};

// The bytes of a piece of 1 to 16, zeros after them. Where the text goes on, two loads and a mask do instead
// of a copy whose length is only known at run time.
inline Key KeyOf(const char* p, size_t length, const char* end) {
  Key key;
  if (end - p >= static_cast<ptrdiff_t>(kKeyBytes)) {
    std::memcpy(&key.low, p, 8);
    std::memcpy(&key.high, p + 8, 8);
    if (length <= 8) {
      key.low &= ~uint64_t{0} >> (64 - 8 * length);
      key.high = 0;
    } else {
      key.high &= ~uint64_t{0} >> (128 - 8 * length);
    }
  } else {
    char bytes[kKeyBytes] = {};
    std::memcpy(bytes, p, length);
    std::memcpy(&key.low, bytes, 8);
    std::memcpy(&key.high, bytes + 8, 8);
  }
  return key;
}

inline uint64_t HashOf(const Key& key, size_t length) {
  uint64_t h = (key.low ^ length) * 0x9e3779b97f4a7c15 + key.high * 0xc2b2ae3d27d4eb4f;
  h ^= h >> 29;
  return (h * 0xbf58476d1ce4e5b9) >> 20;
}

inline uint64_t HashOfPair(uint64_t key) {
  key *= 0x9e3779b97f4a7c15;
  return (key ^ key >> 32) * 0xbf58476d1ce4e5b9 >> 24;
}

}  // namespace

void BpeAlphabet::SetChar(char32_t code, int32_t id) {
  if (chars.size() <= code) chars.resize(code + 1, -1);
  chars[code] = id;
}

Bpe::Bpe(BpeAlphabet alphabet, const std::vector<BpeMerge>& merges, const std::vector<std::string>& tokens,
         bool whole_first)
    : alphabet_(std::move(alphabet)) {
  // At most half full, here and below: a search ends at an empty entry, and soon.
  pair_mask_ = std::bit_ceil(2 * merges.size() + 2) - 1;
  pairs_.resize(pair_mask_ + 1);
  for (const BpeMerge& merge : merges) {
    const uint64_t key = static_cast<uint64_t>(merge.left) << 32 | static_cast<uint32_t>(merge.right);
    uint64_t at = HashOfPair(key) & pair_mask_;
    while (pairs_[at].key != kNoKey && pairs_[at].key != key) at = (at + 1) & pair_mask_;
    pairs_[at] = {key, merge.rank, merge.merged};
  }
  // Unless pieces are looked up first, a token is found whole only where merging would end in it: that is not
  // so for every vocabulary.
  const auto count = std::count_if(tokens.begin(), tokens.end(), [](const auto& t) { return !t.empty(); });
  whole_mask_ = std::bit_ceil(2 * static_cast<size_t>(count) + 2) - 1;
  std::vector<Whole> wholes(whole_mask_ + 1);
  BpeEncoder encoder(*this);
  std::vector<int32_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string& token = tokens[id];
    if (token.empty()) continue;
    if (token.size() > kKeyBytes) {
      if (!whole_first) continue;
      long_wholes_.emplace(token, static_cast<int32_t>(id));
      longest_whole_ = std::max(longest_whole_, token.size());
      continue;
    }
    if (!whole_first) {
      ids.clear();
      encoder.Merge(token.data(), token.size(), ids);
      if (ids.size() != 1 || ids[0] != static_cast<int32_t>(id)) continue;
    }
    const Key key = KeyOf(token.data(), token.size(), token.data() + token.size());
    uint64_t at = HashOf(key, token.size()) & whole_mask_;
    while (wholes[at].id >= 0) at = (at + 1) & whole_mask_;
    wholes[at] = {key.low, key.high, static_cast<int32_t>(id), static_cast<uint32_t>(token.size())};
  }
  wholes_ = std::move(wholes);
}

bool Bpe::CutsBefore(absl::string_view mark, const std::vector<BpeMerge>& merges,
                     const std::vector<std::string>& tokens) const {
  const Utf8Char c = DecodeUtf8(mark.data(), mark.data() + mark.size());
  // A mark without a token of its own might be fused with an unknown neighbour.
  if (alphabet_.chars.size() <= c.code || alphabet_.chars[c.code] < 0) return false;
  for (const BpeMerge& merge : merges) {
    const absl::string_view token = tokens[static_cast<size_t>(merge.merged)];
    for (size_t at = token.find(mark, 1); at != absl::string_view::npos; at = token.find(mark, at + 1)) {
      if (!absl::EndsWith(token.substr(0, at), mark)) return false;
    }
  }
  return true;
}

void Bpe::Symbols(const char* p, size_t length, std::vector<int32_t>& symbols) const {
  symbols.clear();
  if (alphabet_.chars.empty()) {
    for (size_t i = 0; i < length; ++i) symbols.push_back(alphabet_.bytes[static_cast<unsigned char>(p[i])]);
    return;
  }
  bool pending = false;  // an unknown token that may be fused with the next
  for (const char* const end = p + length; p < end;) {
    const Utf8Char c = CharAt(p, end);
    const char* const bytes = p;
    p += c.length;
    const int32_t id = c.code < alphabet_.chars.size() ? alphabet_.chars[c.code] : -1;
    if (id >= 0) {
      if (pending) symbols.push_back(alphabet_.unknown);
      pending = false;
      symbols.push_back(id);
      continue;
    }
    const auto id_of = [&](char byte) { return alphabet_.bytes[static_cast<unsigned char>(byte)]; };
    if (std::all_of(bytes, p, [&](char byte) { return id_of(byte) >= 0; })) {
      std::transform(bytes, p, std::back_inserter(symbols), id_of);
      continue;
    }
    if (alphabet_.unknown < 0) continue;
    if (pending && !alphabet_.fuse_unknown) symbols.push_back(alphabet_.unknown);
    pending = true;
  }
  if (pending) symbols.push_back(alphabet_.unknown);
}

const Bpe::Pair* Bpe::FindPair(int32_t left, int32_t right) const {
  const uint64_t key = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  for (uint64_t at = HashOfPair(key) & pair_mask_;; at = (at + 1) & pair_mask_) {
    if (pairs_[at].key == key) return &pairs_[at];
    if (pairs_[at].key == kNoKey) return nullptr;
  }
}

BpeEncoder::BpeEncoder(const Bpe& bpe) : bpe_(bpe), common_(kCommonSize) {}

void BpeEncoder::Encode(const char* p, size_t length, const char* end, std::vector<int32_t>& ids) {
  if (length > kKeyBytes) {
    if (length <= bpe_.longest_whole_) {
      const auto whole = bpe_.long_wholes_.find(std::string(p, length));
      if (whole != bpe_.long_wholes_.end()) return ids.push_back(whole->second);
    }
    return Merge(p, length, ids);
  }
  const Key key = KeyOf(p, length, end);
  const uint64_t hash = HashOf(key, length);
  const auto is_key = [&](const auto& entry) {
    return entry.low == key.low && entry.high == key.high && entry.length == length;
  };
  Bpe::Whole& common = common_[hash % kCommonSize];
  if (is_key(common)) return ids.push_back(common.id);
  for (uint64_t at = hash & bpe_.whole_mask_;; at = (at + 1) & bpe_.whole_mask_) {
    const Bpe::Whole& whole = bpe_.wholes_[at];
    if (whole.id < 0) break;
    if (is_key(whole)) {
      common = whole;
      return ids.push_back(whole.id);
    }
  }
  if (cache_.empty()) cache_.resize(kCacheSize);
  Cached& cached = cache_[hash % kCacheSize];
  if (is_key(cached)) {
    ids.insert(ids.end(), cached.ids.begin(), cached.ids.begin() + cached.count);
    return;
  }
  const size_t before = ids.size();
  Merge(p, length, ids);
  const size_t count = ids.size() - before;
  if (count > kCachedIds) return;
  cached = {key.low, key.high, static_cast<uint32_t>(length), static_cast<uint32_t>(count), {}};
  std::copy(ids.end() - static_cast<ptrdiff_t>(count), ids.end(), cached.ids.begin());
}

void BpeEncoder::Merge(const char* p, size_t length, std::vector<int32_t>& ids) {
  bpe_.Symbols(p, length, symbols_);
  if (symbols_.size() > kShort) return MergeLong(ids);
  MergeShort(symbols_.size(), ids);
}

void BpeEncoder::MergeShort(size_t n, std::vector<int32_t>& ids) {
  constexpr uint32_t kNone = ~uint32_t{0};
  int32_t token[kShort];
  uint32_t rank[kShort];  // of token i with token i + 1
  int32_t merged[kShort];
  const auto look = [&](size_t i) {
    const Bpe::Pair* pair = i + 1 < n ? bpe_.FindPair(token[i], token[i + 1]) : nullptr;
    rank[i] = pair != nullptr ? pair->rank : kNone;
    merged[i] = pair != nullptr ? pair->merged : 0;
  };
  std::copy(symbols_.begin(), symbols_.end(), token);
  for (size_t i = 0; i < n; ++i) look(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i < n; ++i) best = rank[i] < rank[best] ? i : best;
    if (rank[best] == kNone) break;
    token[best] = merged[best];
    --n;
    const size_t tail = n - best - 1;
    std::memmove(token + best + 1, token + best + 2, tail * sizeof(token[0]));
    std::memmove(rank + best + 1, rank + best + 2, tail * sizeof(rank[0]));
    std::memmove(merged + best + 1, merged + best + 2, tail * sizeof(merged[0]));
    look(best);
    if (best > 0) look(best - 1);
  }
  ids.insert(ids.end(), token, token + n);
}

void BpeEncoder::MergeLong(std::vector<int32_t>& ids) {
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  links_.resize(symbols_.size());
  heap_.clear();
  const auto count = static_cast<int32_t>(symbols_.size());
  for (int32_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    links_[at] = {symbols_[at], i - 1, i + 1 < count ? i + 1 : -1};
  }
  const auto at = [this](int32_t i) -> Link& { return links_[static_cast<size_t>(i)]; };
  const auto offer = [&](int32_t left) {
    if (left < 0 || at(left).next < 0) return false;
    const int32_t right_id = at(at(left).next).id;
    const Bpe::Pair* pair = bpe_.FindPair(at(left).id, right_id);
    if (pair == nullptr) return false;
    heap_.push_back({pair->rank, left, at(left).id, right_id, pair->merged});
    return true;
  };
  for (int32_t i = 0; i < count; ++i) offer(i);
  std::make_heap(heap_.begin(), heap_.end(), later);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Candidate best = heap_.back();
    heap_.pop_back();
    // Stale when either token has merged with another since; a merged-away position has id -1.
    Link& left = at(best.left);
    if (left.id != best.left_id || left.next < 0 || at(left.next).id != best.right_id) continue;
    Link& right = at(left.next);
    left.id = best.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = best.left;
    if (offer(best.left)) std::push_heap(heap_.begin(), heap_.end(), later);
    if (offer(left.previous)) std::push_heap(heap_.begin(), heap_.end(), later);
  }
  for (int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

}  // namespace galley::tokenizer
