#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "runtime/base/check.h"
#include "runtime/tensor/device.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace galley {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

// From here on a copy is stored past the caches: what is that large is read much later (a snapshot, weights),
// and the caches keep what the next op needs. Below it, the fence would cost more than the lines.
constexpr int64_t kStreamFrom = int64_t{256} << 10;

#ifdef __SSE2__
// In whole lines of the target: one written in part would have to be read. The source is prefetched 16 lines
// ahead, marked as not to be kept.
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
  _mm_sfence();  // stores past the caches are not ordered: other threads must see them
}
#else
void StreamCopy(const std::byte* from, std::byte* to, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
}
#endif

class Host : public DeviceMemory {
 public:
  std::byte* Allocate(int64_t bytes) override {
    const size_t rounded =
        static_cast<size_t>((std::max<int64_t>(bytes, 1) + kHugePage - 1) / kHugePage * kHugePage);
    auto* data = static_cast<std::byte*>(std::aligned_alloc(kHugePage, rounded));
    CHECK(data != nullptr) << "out of memory for " << bytes << " bytes";
    // Before the first touch, since pages that exist stay small. Touched here, so that
    // no step pays for page faults.
    ::madvise(data, rounded, MADV_HUGEPAGE);
    std::memset(data, 0, rounded);
    return data;
  }

  void Free(std::byte* data, int64_t) override { std::free(data); }

  void Copy(const void* from, void* to, int64_t bytes) override {
    if (bytes >= kStreamFrom) {
      StreamCopy(static_cast<const std::byte*>(from), static_cast<std::byte*>(to), bytes);
    } else if (bytes > 0) {
      std::memcpy(to, from, static_cast<size_t>(bytes));
    }
  }
};

}  // namespace

DeviceMemory& HostMemory() {
  static Host* const host = new Host;  // never destroyed: buffers may outlive main
  return *host;
}

}  // namespace galley
