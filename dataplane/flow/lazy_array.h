// Arrays by index that are mostly empty, or so large that the processor's TLB would not cover them in small pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace causeway {

// A zeroed array, page-aligned, whose untouched pages cost no memory. What is touched of a large one comes in huge
// pages where the kernel has some and transparent_hugepage allows it. Its pages are its own: no other thread's data
// lies in the cache lines of its ends.
template <class T>
class LazyArray {
 public:
  explicit LazyArray(size_t count) : items_(map(count * sizeof(T)), Unmap{count * sizeof(T)}), count_(count) {
    static_assert(std::is_trivially_destructible_v<T>);
  }
  T& operator[](size_t i) noexcept { return items_.get()[i]; }
  const T& operator[](size_t i) const noexcept { return items_.get()[i]; }
  T* data() noexcept { return items_.get(); }
  const T* data() const noexcept { return items_.get(); }
  size_t size() const noexcept { return count_; }

 private:
  struct Unmap {
    size_t bytes;
    void operator()(T* p) const noexcept { munmap(p, bytes); }
  };
  static T* map(size_t bytes) {
    static constexpr size_t kLargeBytes = size_t{16} << 20;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    if (bytes >= kLargeBytes) madvise(memory, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }

  std::unique_ptr<T[], Unmap> items_;
  size_t count_;
};

}  // namespace causeway
