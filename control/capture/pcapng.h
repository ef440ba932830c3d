// Files of captured frames: pcapng (draft-ietf-opsawg-pcapng), little-endian as the processors we run on. Appends
// blocks to a text; knows nothing of who captures.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace causeway::pcapng {

// Times are nanoseconds since 1970-01-01 UTC.
struct Packet {
  uint32_t interface = 0;  // the first one that was added is 0
  uint64_t time = 0;
  uint32_t frame_bytes = 0;
  std::span<const uint8_t> kept;  // the first bytes of the frame
  bool outgoing = false;
  std::string_view comment;
};

struct Statistics {
  uint32_t interface = 0;
  uint64_t time = 0;
  uint64_t begun = 0;
  uint64_t received = 0;   // frames that the filter was asked about
  uint64_t accepted = 0;   // of those that it let pass
  uint64_t dropped = 0;    // of those that found no room
  uint64_t delivered = 0;  // that are in the file
  std::string_view comment;
};

// Section Header Block. `application`: who writes, for people.
void add_section(std::string& file, std::string_view application);
// Interface Description Block. Names longer than 64 KB are cut.
void add_interface(std::string& file, std::string_view name, uint32_t snap_bytes);
// Enhanced Packet Block.
void add_packet(std::string& file, const Packet& packet);
// Interface Statistics Block.
void add_statistics(std::string& file, const Statistics& statistics);

}  // namespace causeway::pcapng
