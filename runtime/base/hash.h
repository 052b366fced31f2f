// XXH3 (xxhash), as hash and as checksum of everything Galley writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace galley {

uint64_t Hash64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t Hash64(absl::string_view text, uint64_t seed = 0);
std::string Hex(uint64_t value);  // 16 lower-case digits

// XXH3-64 of a stream.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void Add(std::span<const std::byte> bytes);
  uint64_t Digest() const;

 private:
  void* state_;
};

}  // namespace galley
