#include "control/api/request_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace causeway {
namespace {

constexpr size_t kFirstBytes = size_t{64} << 10;

}  // namespace

RequestBuffer::~RequestBuffer() {
  if (bytes_ != nullptr) munmap(bytes_, capacity_);
}

bool RequestBuffer::append(std::string_view text) {
  if (text.empty()) return true;
  if (begin_ != 0) {  // what is left of the last read
    std::memmove(bytes_, bytes_ + begin_, size());
    end_ = size();
    begin_ = 0;
  }
  if (!reserve(end_ + text.size())) return false;
  std::memcpy(bytes_ + end_, text.data(), text.size());
  end_ += text.size();
  return true;
}

void RequestBuffer::drop_front(size_t count) {
  begin_ += count;
  if (begin_ < end_) return;
  begin_ = end_ = 0;
  if (capacity_ > kFirstBytes) *this = RequestBuffer();
}

bool RequestBuffer::reserve(size_t bytes) {
  if (bytes <= capacity_) return true;
  const size_t wanted = std::bit_ceil(std::max(bytes, kFirstBytes));
  void* const memory = bytes_ == nullptr
                           ? mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                           : mremap(bytes_, capacity_, wanted, MREMAP_MAYMOVE);
  if (memory == MAP_FAILED) return false;
  bytes_ = static_cast<char*>(memory);
  capacity_ = wanted;
  return true;
}

}  // namespace causeway
