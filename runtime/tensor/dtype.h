// Element types and their sizes; bfloat16 by round-to-nearest-even.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace galley {

enum class DType : uint8_t { kF32, kBF16, kF64, kI32, kI64, kU16, kU8 };

constexpr int64_t SizeOf(DType t) {
  switch (t) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
    case DType::kU16:
      return 2;
    case DType::kU8:
      return 1;
  }
  return 0;
}

constexpr std::string_view Name(DType t) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "f64", "i32", "i64", "u16", "u8"};
  return kNames[static_cast<int>(t)];
}

struct BF16 {
  uint16_t bits = 0;

  BF16() = default;
  explicit BF16(float f) {
    uint32_t u = std::bit_cast<uint32_t>(f);
    // NaN keeps its sign and becomes quiet, since rounding could carry it into infinity.
    bits = (u & 0x7fffffff) > 0x7f800000 ? static_cast<uint16_t>((u >> 16) | 0x40)
                                         : static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

template <class T>
constexpr DType kDTypeOf = [] {
  static_assert(sizeof(T) == 0, "not an element type");
  return DType::kF32;
}();
template <>
inline constexpr DType kDTypeOf<float> = DType::kF32;
template <>
inline constexpr DType kDTypeOf<BF16> = DType::kBF16;
template <>
inline constexpr DType kDTypeOf<double> = DType::kF64;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kI32;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::kI64;
template <>
inline constexpr DType kDTypeOf<uint16_t> = DType::kU16;
template <>
inline constexpr DType kDTypeOf<uint8_t> = DType::kU8;

}  // namespace galley
