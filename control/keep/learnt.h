// What a gateway has learnt of others, by names and addresses: they mean the same to the next process, indices don't.
// As text it is a line for each thing, a first line with the time, and a last one that says how many lines there were
// and what all of them sum up to: what is cut or strange is refused as a whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/underlay/path_mtu.h"
#include "dataplane/flow/key.h"
#include "dataplane/wire/address.h"

namespace causeway {

struct LearntMac {
  std::string bridge;
  MacVlan key = 0;
  std::string interface;            // port or tunnel
  std::optional<IpAddress> remote;  // behind which of the tunnel's ends
  uint64_t age_s = 0;
};

struct LearntNeighbor {
  std::string port;
  IpAddress address;
  MacAddress mac;
};

// Of a multicast tunnel.
struct LearntVtep {
  std::string tunnel;
  IpAddress address;
};

struct LearntPath {
  Path path;
  uint16_t mtu = 0;
  int64_t left_s = 0;  // then it is forgotten
};

struct Learnt {
  std::vector<LearntMac> macs;
  std::vector<LearntNeighbor> neighbors;
  std::vector<LearntVtep> vteps;
  std::vector<LearntPath> paths;
};

class LearntText {
 public:
  using Clock = std::chrono::system_clock;
  explicit LearntText(Clock::time_point now);

  void add(const LearntMac& mac);
  void add(const LearntNeighbor& neighbor);
  void add(const LearntVtep& vtep);
  void add(const LearntPath& path);
  // All of it; then there is nothing left.
  std::string take();

 private:
  std::string text_;
  size_t lines_ = 0;
};

// Ages are as of `now`: what has passed since the text was begun is added. Nothing, and why, if it is no such text.
std::optional<Learnt> read_learnt(std::string_view text, LearntText::Clock::time_point now, std::string& error);

}  // namespace causeway
