// Arrays by index that are mostly empty.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace causeway {

// A zeroed array whose untouched pages cost no memory.
template <class T>
class LazyArray {
 public:
  explicit LazyArray(size_t count) : items_(static_cast<T*>(std::calloc(count, sizeof(T)))), count_(count) {
    if (items_ == nullptr) std::abort();
  }
  T& operator[](size_t i) const noexcept { return items_.get()[i]; }
  size_t size() const noexcept { return count_; }

 private:
  struct Free {
    void operator()(T* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<T[], Free> items_;
  size_t count_;
};

}  // namespace causeway
