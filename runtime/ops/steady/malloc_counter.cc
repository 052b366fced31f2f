#include "runtime/ops/steady/malloc_counter.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <execinfo.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

// The C library's own allocator under the names that stay when malloc is replaced.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

std::atomic<int64_t> calls{0};
std::atomic<int> traces_left{0};

void Count() {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (traces_left.load(std::memory_order_relaxed) > 0 && traces_left.fetch_sub(1) > 0) {
    void* frames[24];
    backtrace_symbols_fd(frames, backtrace(frames, 24), 2);
  }
}

}  // namespace

extern "C" {
void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  Count();
  return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  Count();
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}
}

namespace galley {

int64_t MallocCalls() { return calls.load(); }

void TraceMallocCalls(bool on) {
  if (on) {
    void* frame;
    backtrace(&frame, 1);  // its first call loads a library, which allocates
  }
  traces_left.store(on ? 5 : 0);
}

}  // namespace galley

#else

namespace galley {

int64_t MallocCalls() { return -1; }
void TraceMallocCalls(bool) {}

}  // namespace galley

#endif
