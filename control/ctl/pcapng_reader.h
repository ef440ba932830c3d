// A pcapng file as the daemon writes it, read while its bytes pass by: what it says of each frame, and at its end of
// how many there were.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway {

class PcapngReader {
 public:
  struct Frame {
    std::string_view interface;
    bool outgoing = false;
    std::string_view comment;
    std::string_view bytes;  // as many as were kept
  };

  PcapngReader() = default;
  explicit PcapngReader(std::function<void(const Frame&)> on_frame) : on_frame_(std::move(on_frame)) {}

  // The next bytes of the file, in pieces of any length.
  void read(std::string_view piece);

  uint64_t delivered() const noexcept { return delivered_; }
  uint64_t lost() const noexcept { return lost_; }
  // Statistics came: the file ends as it should.
  bool complete() const noexcept { return complete_; }

 private:
  bool is_of_use(uint32_t type) const noexcept;
  void read_block(std::string_view block);
  void read_frame(std::string_view block);

  std::function<void(const Frame&)> on_frame_;
  std::vector<std::string> interfaces_;
  std::string block_;     // what there is of one
  uint32_t skipped_ = 0;  // bytes of one of no use, still to come
  uint64_t delivered_ = 0;
  uint64_t lost_ = 0;
  bool complete_ = false;
};

}  // namespace causeway
