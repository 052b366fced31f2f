// The 64 bits that tell messages apart: 24 of the attempt's hash, 10 of the sender's rank, 2 of the kind, 8
// of the group, 20 of the operation.
//
// Messages of one tag are matched in order, so a group's operations would be told apart by their order alone.
// The number of the operation keeps ranks that disagree about the operation from matching messages of two
// different ones. That it wraps around does no harm, since the order still holds.
#pragma once

#include <cstdint>

namespace galley::comm {

inline constexpr int kMaxRanks = 1 << 10;
inline constexpr int kMaxGroups = 1 << 8;

enum class TagKind : uint64_t { kHandshake = 0, kCollective = 1, kNotice = 2, kPointToPoint = 3 };

inline uint64_t MakeTag(uint64_t cookie, int sender, TagKind kind, int group, uint32_t operation) {
  // Mixed first: cookies that differ in any bit should differ in the 24 that are kept.
  uint64_t hash = cookie * 0x9e3779b97f4a7c15;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return (hash >> 40) << 40 | static_cast<uint64_t>(sender) << 30 | static_cast<uint64_t>(kind) << 28 |
         static_cast<uint64_t>(group) << 20 | (operation & 0xfffff);
}

}  // namespace galley::comm
