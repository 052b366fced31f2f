// Memory is planned once: after two steps nothing is taken from the heap any more, by Galley or by oneDNN.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/golden/golden_run.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GALLEY_OWN_MALLOC 0  // the sanitizer has its own
#else
#define GALLEY_OWN_MALLOC 1
#endif

#if GALLEY_OWN_MALLOC
namespace {
std::atomic<bool> armed{false};
std::atomic<int64_t> calls{0};
void Note() {
  if (armed.load(std::memory_order_relaxed)) calls.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

// glibc's own names for its heap, behind ours.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t n) {
  Note();
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) {
  Note();
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) {
  Note();
  return __libc_realloc(p, n);
}
void* memalign(size_t alignment, size_t n) {
  Note();
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }
int posix_memalign(void** out, size_t alignment, size_t n) {
  *out = memalign(alignment, n);
  return *out == nullptr ? ENOMEM : 0;
}
}

namespace galley::golden {
namespace {

struct Case {
  std::string family;
  recipe::Compute compute;
  int threads;
};

class SteadyMemory : public testing::TestWithParam<Case> {};

TEST_P(SteadyMemory, StepsThreeToTwentyTakeNothingFromTheHeap) {
  recipe::RecipeSpec spec = LoadRecipe(GetParam().family);
  spec.precision.compute = GetParam().compute;
  calls = 0;
  Train(spec, {.threads = GetParam().threads, .after_step = [](int step) {
                 if (step == 2) armed = true;
                 if (step == kSteps) armed = false;
               }});
  EXPECT_EQ(calls, 0);
}

TEST(SteadyMemorySelf, TheCounterCounts) {
  calls = 0;
  armed = true;
  auto volatile_new = [] { return new std::string(100, 'x'); };
  delete volatile_new();
  armed = false;
  EXPECT_GE(calls, 1);
}

INSTANTIATE_TEST_SUITE_P(
    Families, SteadyMemory,
    testing::Values(Case{"gpt2", recipe::Compute::kF32, 2}, Case{"gpt2", recipe::Compute::kBF16, 2},
                    Case{"llama", recipe::Compute::kF32, 2}, Case{"llama", recipe::Compute::kBF16, 2}),
    [](const auto& info) {
      return info.param.family + (info.param.compute == recipe::Compute::kF32 ? "F32" : "BF16");
    });

}  // namespace
}  // namespace galley::golden
#endif
