// How the CPU kernels are compiled, and the maths that their loops share. Included by *_cpu.cc only.
//
// A kernel is a plain loop in a function marked GALLEY_SIMD: the compiler makes one version for each level of
// the instruction set and the loader picks the machine's. What the loop calls must be always inline, so that
// it is compiled for the caller's level.
#pragma once

#include <bit>
#include <cstdint>

#include "runtime/tensor/dtype.h"

// Function versions need GCC on x86; sanitizers instrument the resolvers before they are set up.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GALLEY_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GALLEY_SIMD
#endif
#define GALLEY_INLINE [[gnu::always_inline]] inline

namespace galley::ops {

GALLEY_INLINE float Load(const float* p) { return *p; }
GALLEY_INLINE float Load(const BF16* p) { return std::bit_cast<float>(uint32_t{p->bits} << 16); }
GALLEY_INLINE void Store(float* p, float value) { *p = value; }
GALLEY_INLINE void Store(BF16* p, float value) {
  // Selected without a branch, so that the loop vectorises; the same bits as BF16(float).
  uint32_t u = std::bit_cast<uint32_t>(value);
  uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  uint32_t nan = (u >> 16) | 0x40;
  p->bits = static_cast<uint16_t>((u & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

// e^x to about 1e-7 relative; 0 below -87.3 (where the result would be denormal), capped above 88.3; NaN
// stays NaN. x = n ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of e^r to the seventh power.
GALLEY_INLINE float Exp(float x) {
  float clamped = x < -87.3f ? -87.3f : x;
  clamped = clamped > 88.3f ? 88.3f : clamped;
  // Adding 1.5 x 2^23 rounds to an integer held in the low bits.
  constexpr float kRound = 12582912.0f;
  float shifted = clamped * 1.44269504088896341f + kRound;
  float n = shifted - kRound;
  // ln 2 in two parts, the first with few bits so that n times it is exact.
  float r = clamped - n * 0.693145751953125f;
  r = r - n * 1.428606820309417e-6f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127) << 23;
  float result = p * std::bit_cast<float>(exponent);
  return x < -87.3f ? 0.0f : result;
}

GALLEY_INLINE float Sigmoid(float x) { return 1.0f / (1.0f + Exp(-x)); }
// Within 1e-7 absolute, which is what the users of tanh here (1 + tanh) see.
GALLEY_INLINE float Tanh(float x) { return 1.0f - 2.0f / (Exp(2.0f * x) + 1.0f); }

}  // namespace galley::ops
