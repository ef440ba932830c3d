#include "control/ctl/pcapng_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace causeway {
namespace {

// draft-ietf-opsawg-pcapng, sections 3.1, 3.5 and 4.2 to 4.6: types of blocks, codes of options, and where options
// begin.
constexpr uint32_t kInterface = 1;
constexpr uint32_t kStatistics = 5;
constexpr uint32_t kPacket = 6;
constexpr uint16_t kComment = 1;
constexpr uint16_t kInterfaceName = 2;
constexpr uint16_t kPacketFlags = 2;
constexpr uint16_t kDropped = 5;
constexpr uint16_t kDelivered = 8;
constexpr size_t kHeadBytes = 8;  // type and length
constexpr size_t kInterfaceBytes = 16;
constexpr size_t kStatisticsBytes = 20;
constexpr size_t kPacketBytes = 28;  // the frame comes behind them
constexpr uint32_t kDirectionMask = 3;
constexpr uint32_t kOutbound = 2;

template <class T>
T at(std::string_view bytes, size_t offset) {
  T value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

size_t filled_up(size_t bytes) { return (bytes + 3) / 4 * 4; }

// Calls `take(code, value)` with each option from `offset` on.
void read_options(std::string_view block, size_t offset, const auto& take) {
  const size_t end = block.size() - sizeof(uint32_t);
  while (offset + kHeadBytes / 2 <= end) {
    const auto code = at<uint16_t>(block, offset);
    const size_t length = at<uint16_t>(block, offset + 2);
    offset += 4;
    if (code == 0 || offset + length > end) return;
    take(code, block.substr(offset, length));
    offset += filled_up(length);
  }
}

}  // namespace

bool PcapngReader::is_of_use(uint32_t type) const noexcept {
  return type == kStatistics || (on_frame_ && (type == kInterface || type == kPacket));
}

void PcapngReader::read(std::string_view piece) {
  while (!piece.empty()) {
    if (skipped_ != 0) {
      const size_t bytes = std::min<size_t>(skipped_, piece.size());
      skipped_ -= static_cast<uint32_t>(bytes);
      piece.remove_prefix(bytes);
      continue;
    }
    const size_t wanted = block_.size() < kHeadBytes ? kHeadBytes : at<uint32_t>(block_, 4);
    const size_t bytes = std::min(wanted - block_.size(), piece.size());
    block_.append(piece.substr(0, bytes));
    piece.remove_prefix(bytes);
    if (block_.size() < kHeadBytes) return;
    const uint32_t length = std::max<uint32_t>(at<uint32_t>(block_, 4), kHeadBytes + sizeof(uint32_t));
    if (!is_of_use(at<uint32_t>(block_, 0))) {
      skipped_ = length - kHeadBytes;
      block_.clear();
    } else if (block_.size() >= length) {
      read_block(block_);
      block_.clear();
    }
  }
}

void PcapngReader::read_block(std::string_view block) {
  switch (at<uint32_t>(block, 0)) {
    case kInterface:
      interfaces_.emplace_back();
      read_options(block, kInterfaceBytes, [this](uint16_t code, std::string_view value) {
        if (code == kInterfaceName) interfaces_.back() = value;
      });
      break;
    case kPacket:
      read_frame(block);
      break;
    default:
      complete_ = true;
      read_options(block, kStatisticsBytes, [this](uint16_t code, std::string_view value) {
        if (code == kDropped) lost_ += at<uint64_t>(value, 0);
        if (code == kDelivered) delivered_ += at<uint64_t>(value, 0);
      });
  }
}

void PcapngReader::read_frame(std::string_view block) {
  const auto interface = at<uint32_t>(block, kHeadBytes);
  const size_t kept = at<uint32_t>(block, kPacketBytes - 8);
  Frame frame;
  if (interface < interfaces_.size()) frame.interface = interfaces_[interface];
  if (kPacketBytes + kept <= block.size()) frame.bytes = block.substr(kPacketBytes, kept);
  read_options(block, kPacketBytes + filled_up(kept), [&frame](uint16_t code, std::string_view value) {
    if (code == kPacketFlags) frame.outgoing = (at<uint32_t>(value, 0) & kDirectionMask) == kOutbound;
    if (code == kComment) frame.comment = value;
  });
  on_frame_(frame);
}

}  // namespace causeway
