// The clock of the waits here: it never steps, and reading it costs no more than a poll of the network.
#pragma once

#include <time.h>

#include <cstdint>

namespace galley::comm {

inline int64_t MonotonicNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

}  // namespace galley::comm
