// What a client has sent and nobody has answered yet. Its pages are its own, not malloc's: a large request is never
// copied to grow, and what it took goes back to the kernel with it.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace causeway {

class RequestBuffer {
 public:
  RequestBuffer() = default;
  RequestBuffer(RequestBuffer&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  RequestBuffer& operator=(RequestBuffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    return *this;
  }
  ~RequestBuffer();

  std::string_view view() const noexcept { return {bytes_ + begin_, size()}; }
  size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }

  // False: there is no memory for it.
  bool append(std::string_view text);
  void drop_front(size_t count);

 private:
  bool reserve(size_t bytes);

  char* bytes_ = nullptr;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace causeway
