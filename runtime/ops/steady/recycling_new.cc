// operator new and delete for a program that runs steps: small blocks come from free lists that never shrink.
//
// A step of Galley allocates nothing itself, but oneDNN's execute call builds a small map of its arguments
// (six or seven nodes) each time, a few thousand times a step. Those, and any other small object, are served
// from here, so that a step that repeats the one before it reaches malloc not once: no lock of the C
// library, no page fault, no fragmentation over a run of weeks. Memory held is the most that was ever live
// at once in each size.
//
// Link the object library galley_recycling_new into the program; nothing includes it. Sanitizers bring an
// operator new of their own that finds errors, so there this file is empty.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

constexpr size_t kStep = 32;       // sizes are rounded up to a multiple
constexpr size_t kLargest = 1024;  // larger blocks go to malloc
constexpr size_t kClasses = kLargest / kStep;
constexpr size_t kChunk = 64 * 1024;  // taken from malloc at a time
constexpr uint64_t kFromMalloc = ~uint64_t{0};

// Before every block; its size keeps the 16-byte alignment that operator new guarantees.
struct alignas(16) Header {
  uint64_t size_class;
};

struct FreeBlock {
  FreeBlock* next;
};

// One for each size, on a cache line of its own: threads that allocate different sizes do not contend.
struct alignas(64) FreeList {
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  FreeBlock* head = nullptr;

  void Lock() {
    while (busy.test_and_set(std::memory_order_acquire)) {
    }
  }
  void Unlock() { busy.clear(std::memory_order_release); }
};

constinit FreeList lists[kClasses];

Header* HeaderOf(void* block) { return reinterpret_cast<Header*>(block) - 1; }

// Cuts a fresh chunk into blocks of one class. Called with the list locked; without memory it stays empty.
void Refill(FreeList& list, uint64_t size_class) {
  size_t stride = sizeof(Header) + (size_class + 1) * kStep;
  char* chunk = static_cast<char*>(std::malloc(kChunk));
  if (chunk == nullptr) return;
  for (size_t at = 0; at + stride <= kChunk; at += stride) {
    auto* header = new (chunk + at) Header{size_class};
    auto* block = reinterpret_cast<FreeBlock*>(header + 1);
    block->next = list.head;
    list.head = block;
  }
}

void* TakeSmall(uint64_t size_class) {
  FreeList& list = lists[size_class];
  list.Lock();
  FreeBlock* block = nullptr;
  if (list.head == nullptr) Refill(list, size_class);
  if (list.head != nullptr) {
    block = list.head;
    list.head = block->next;
  }
  list.Unlock();
  return block;
}

void* TakeLarge(size_t size) {
  if (size > SIZE_MAX - sizeof(Header)) return nullptr;
  void* memory = std::malloc(size + sizeof(Header));
  return memory == nullptr ? nullptr : new (memory) Header{kFromMalloc} + 1;
}

}  // namespace

void* operator new(size_t size) {
  for (;;) {
    void* block = size <= kLargest ? TakeSmall(size == 0 ? 0 : (size - 1) / kStep) : TakeLarge(size);
    if (block != nullptr) return block;
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void operator delete(void* block) noexcept {
  if (block == nullptr) return;
  uint64_t size_class = HeaderOf(block)->size_class;
  if (size_class == kFromMalloc) {
    std::free(HeaderOf(block));
    return;
  }
  FreeList& list = lists[size_class];
  auto* free_block = static_cast<FreeBlock*>(block);
  list.Lock();
  free_block->next = list.head;
  list.head = free_block;
  list.Unlock();
}

// The array, sized and nothrow forms of the library call the two above.
void operator delete(void* block, size_t) noexcept { operator delete(block); }

#endif
