#include "control/capture/pcapng.h"

#include <bit>
#include <cstring>

namespace causeway::pcapng {
namespace {

static_assert(std::endian::native == std::endian::little);

// Block types and option codes of the draft, sections 4.1 to 4.6 and 3.5.
constexpr uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kInterfaceStatistics = 5;
constexpr uint32_t kEnhancedPacket = 6;

constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint16_t kLinkTypeEthernet = 1;

constexpr uint16_t kEnd = 0;
constexpr uint16_t kComment = 1;
constexpr uint16_t kInterfaceName = 2;
constexpr uint16_t kInterfaceResolution = 9;
constexpr uint16_t kSectionApplication = 4;
constexpr uint16_t kPacketFlags = 2;
constexpr uint16_t kStatisticsStart = 2;
constexpr uint16_t kStatisticsEnd = 3;
constexpr uint16_t kStatisticsReceived = 4;
constexpr uint16_t kStatisticsDropped = 5;
constexpr uint16_t kStatisticsAccepted = 6;
constexpr uint16_t kStatisticsDelivered = 8;

constexpr uint8_t kNanoseconds = 9;
constexpr uint32_t kInbound = 1;
constexpr uint32_t kOutbound = 2;

// A block while it is written: what goes in between, then the length at both ends.
class Block {
 public:
  Block(std::string& file, uint32_t type) : file_(file), begin_(file.size()) { add(type).add(uint32_t{0}); }
  ~Block() {
    const auto bytes = static_cast<uint32_t>(file_.size() - begin_ + sizeof(uint32_t));
    std::memcpy(&file_[begin_ + sizeof(uint32_t)], &bytes, sizeof bytes);
    add(bytes);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  template <class T>
  Block& add(T value) {
    file_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  // Filled up to 32 bits.
  Block& add_bytes(std::string_view bytes) {
    file_.append(bytes);
    file_.append((4 - bytes.size() % 4) % 4, '\0');
    return *this;
  }
  Block& add_option(uint16_t code, std::string_view value) {
    value = value.substr(0, UINT16_MAX);
    return add(code).add(static_cast<uint16_t>(value.size())).add_bytes(value);
  }
  template <class T>
  Block& add_number(uint16_t code, T value) {
    return add_option(code, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  // A time, the upper half first.
  Block& add_time(uint64_t time) { return add(static_cast<uint32_t>(time >> 32)).add(static_cast<uint32_t>(time)); }
  Block& add_time_option(uint16_t code, uint64_t time) { return add(code).add(uint16_t{8}).add_time(time); }
  Block& add_comment(std::string_view comment) { return comment.empty() ? *this : add_option(kComment, comment); }
  Block& end_options() { return add_option(kEnd, {}); }

 private:
  std::string& file_;
  size_t begin_;
};

}  // namespace

void add_section(std::string& file, std::string_view application) {
  Block block(file, kSectionHeader);
  block.add(kByteOrderMagic).add(uint16_t{1}).add(uint16_t{0}).add(int64_t{-1});  // version 1.0, of unknown length
  block.add_option(kSectionApplication, application).end_options();
}

void add_interface(std::string& file, std::string_view name, uint32_t snap_bytes) {
  Block block(file, kInterfaceDescription);
  block.add(kLinkTypeEthernet).add(uint16_t{0}).add(snap_bytes);
  block.add_option(kInterfaceName, name).add_number(kInterfaceResolution, kNanoseconds).end_options();
}

void add_packet(std::string& file, const Packet& packet) {
  Block block(file, kEnhancedPacket);
  block.add(packet.interface).add_time(packet.time);
  block.add(static_cast<uint32_t>(packet.kept.size())).add(packet.frame_bytes);
  block.add_bytes({reinterpret_cast<const char*>(packet.kept.data()), packet.kept.size()});
  block.add_number(kPacketFlags, packet.outgoing ? kOutbound : kInbound).add_comment(packet.comment).end_options();
}

void add_statistics(std::string& file, const Statistics& statistics) {
  Block block(file, kInterfaceStatistics);
  block.add(statistics.interface).add_time(statistics.time).add_comment(statistics.comment);
  block.add_time_option(kStatisticsStart, statistics.begun).add_time_option(kStatisticsEnd, statistics.time);
  block.add_number(kStatisticsReceived, statistics.received).add_number(kStatisticsDropped, statistics.dropped);
  block.add_number(kStatisticsAccepted, statistics.accepted).add_number(kStatisticsDelivered, statistics.delivered);
  block.end_options();
}

}  // namespace causeway::pcapng
