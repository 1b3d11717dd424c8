// Memory for SAs: places of one size, side by side on large pages. A worker's packets go from one SA to the next, and on pages
// of 4 KiB a processor that serves thousands of sessions has to find page after page before it gets to the lines in them.
#pragma once

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

namespace floatgate {

// All threads' places for a type. What is given back is wiped and taken again; the process keeps it.
template <typename T>
class Places {
 public:
#ifdef __SANITIZE_ADDRESS__
  // Each by itself, for the sanitizer to see who looks at one that is gone.
  static void* Take() { return ::operator new(sizeof(T), std::align_val_t{alignof(T)}); }
  static void Give(void* place) { ::operator delete(place, std::align_val_t{alignof(T)}); }
#else
  static void* Take() {
    std::lock_guard lock(mutex_);
    if (free_ == nullptr) Grow();
    Free* taken = free_;
    free_ = taken->next;
    return taken;
  }

  static void Give(void* place) {
    OPENSSL_cleanse(place, sizeof(T));
    std::lock_guard lock(mutex_);
    free_ = new (place) Free{free_};
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr size_t kLargePage = size_t{2} << 20;

  static void Grow() {
    auto* memory = static_cast<uint8_t*>(std::aligned_alloc(kLargePage, kLargePage));
    if (memory == nullptr) std::abort();
    // Where the kernel has no large page, small ones do.
    madvise(memory, kLargePage, MADV_HUGEPAGE);
    for (size_t at = kLargePage / sizeof(T); at-- > 0;) free_ = new (memory + at * sizeof(T)) Free{free_};
  }

  static inline std::mutex mutex_;
  static inline Free* free_ = nullptr;
#endif
};

}  // namespace floatgate
