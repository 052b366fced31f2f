// For tests: how often the process has asked the C library for memory. Link the object library
// galley_malloc_counter, which replaces malloc and the other allocation functions, into the test program.
#pragma once

#include <cstdint>

namespace galley {

// Calls of malloc, calloc, realloc and the aligned forms so far, by all threads. -1 where they cannot be
// counted: sanitizers have an allocator of their own.
int64_t MallocCalls();

// While on, the first few calls print where they came from to stderr.
void TraceMallocCalls(bool on);

}  // namespace galley
