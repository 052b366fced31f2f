#include "runtime/checkpoint/snapshot_copy.h"

#include <algorithm>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace galley::checkpoint {
namespace {

constexpr int64_t kStreamFrom = 4096;  // below it, the fence costs more than the cache lines

#ifdef __SSE2__
void StreamCopy(const std::byte* from, std::byte* to, int64_t bytes) {
  const int64_t head = std::min<int64_t>(bytes, static_cast<int64_t>(-reinterpret_cast<uintptr_t>(to) & 63));
  std::memcpy(to, from, static_cast<size_t>(head));
  int64_t at = head;
  for (; at + 64 <= bytes; at += 64) {
    const auto* source = reinterpret_cast<const __m128i*>(from + at);
    auto* target = reinterpret_cast<__m128i*>(to + at);
    _mm_prefetch(reinterpret_cast<const char*>(from + at + 1024), _MM_HINT_NTA);
    const __m128i a = _mm_loadu_si128(source);
    const __m128i b = _mm_loadu_si128(source + 1);
    const __m128i c = _mm_loadu_si128(source + 2);
    const __m128i d = _mm_loadu_si128(source + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  std::memcpy(to + at, from + at, static_cast<size_t>(bytes - at));
}
void Fence() { _mm_sfence(); }
#else
void StreamCopy(const std::byte* from, std::byte* to, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
}
void Fence() {}
#endif

// The bytes [begin, end) of the line on which all copies lie one after the other.
void CopyRange(const std::vector<Copy>& copies, int64_t begin, int64_t end) {
  int64_t at = 0;
  for (const Copy& copy : copies) {
    const int64_t from = std::max(begin, at);
    const int64_t to = std::min(end, at + copy.bytes);
    if (from < to) {
      const int64_t skip = from - at;
      if (to - from < kStreamFrom) {
        std::memcpy(copy.to + skip, copy.from + skip, static_cast<size_t>(to - from));
      } else {
        StreamCopy(copy.from + skip, copy.to + skip, to - from);
      }
    }
    at += copy.bytes;
  }
  Fence();  // stores past the caches are not ordered: the writing thread must see them
}

}  // namespace

void CopyAll(const std::vector<Copy>& copies, int threads) {
  int64_t total = 0;
  for (const Copy& copy : copies) total += copy.bytes;
#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)  // which does not see libgomp's barriers
  if (threads > 1) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; ++t) CopyRange(copies, total * t / threads, total * (t + 1) / threads);
    return;
  }
#endif
  (void)threads;
  CopyRange(copies, 0, total);
}

}  // namespace galley::checkpoint
