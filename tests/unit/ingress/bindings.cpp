// Any number of bindings, and frames of anybody in any order: each fares as it does where one looks through the list.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/flow/binding_table.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/ingress/parse.h"
#include "tests/catch.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

// A host with IPv4 prefixes and IPv6 addresses fd00::N; none of both: it may use any.
struct Host {
  struct Range {
    uint32_t network = 0;
    unsigned length = 32;
  };
  MacAddress mac;
  std::vector<Range> ipv4;
  std::vector<uint16_t> ipv6;
};

struct Frame {
  enum class Kind { ipv4, ipv6, arp, other };
  MacAddress mac;
  MacAddress claimed;  // ARP's sender
  Kind kind = Kind::ipv4;
  int tags = 0;
  bool cut = false;  // IPv4: one byte of its header is missing
  uint32_t ipv4 = 0;
  uint16_t ipv6 = 0;
};

bool contains(const Host::Range& range, uint32_t ip) {
  return range.length == 0 || (ip ^ range.network) >> (32 - range.length) == 0;
}

DropReason reference_verdict(const std::vector<Host>& hosts, const Frame& frame) {
  for (const Host& host : hosts) {
    if (host.mac != frame.mac) continue;
    const bool any = host.ipv4.empty() && host.ipv6.empty();
    bool allowed = any;
    switch (frame.kind) {
      case Frame::Kind::other:
        allowed = true;
        break;
      case Frame::Kind::ipv6:
        for (const uint16_t own : host.ipv6) allowed = allowed || own == frame.ipv6;
        break;
      case Frame::Kind::ipv4:
      case Frame::Kind::arp:
        for (const Host::Range& own : host.ipv4) allowed = allowed || contains(own, frame.ipv4);
        if (frame.kind == Frame::Kind::arp && frame.claimed != frame.mac) allowed = false;
        if (frame.cut) allowed = false;
        break;
    }
    return allowed && frame.tags < 3 ? DropReason::none : DropReason::address_not_bound;
  }
  return DropReason::mac_not_bound;
}

void put(Bytes& to, uint64_t value, int bytes) {
  while (bytes-- > 0) to.push_back(static_cast<uint8_t>(value >> 8 * bytes));
}

Bytes to_bytes(const Frame& frame) {
  Bytes bytes;
  put(bytes, 0x0200'0000'0909, 6);
  put(bytes, frame.mac.to_u64(), 6);
  for (int tag = 0; tag < frame.tags; ++tag) put(bytes, 0x8100'0000 + 7, 4);
  switch (frame.kind) {
    case Frame::Kind::ipv4:
      put(bytes, 0x0800'4500'001c'0000, 8);
      put(bytes, 0x0000'4011'0000, 6);
      put(bytes, frame.ipv4, 4);
      if (frame.cut) {
        put(bytes, 0, 3);
        return bytes;
      }
      put(bytes, 0x0a00'0009'0001'0002, 8);
      put(bytes, 0x0008'0000, 4);
      break;
    case Frame::Kind::ipv6:
      put(bytes, 0x86dd'6000'0000'0008, 8);
      put(bytes, 0x1140, 2);
      put(bytes, 0xfd00ULL << 48, 8);
      put(bytes, frame.ipv6, 8);
      put(bytes, 0xfd00ULL << 48, 8);
      put(bytes, 9, 8);
      put(bytes, 0x0001'0002'0008'0000, 8);
      break;
    case Frame::Kind::arp:
      put(bytes, 0x0806'0001'0800'0604, 8);
      put(bytes, 1, 2);
      put(bytes, frame.claimed.to_u64(), 6);
      put(bytes, frame.ipv4, 4);
      put(bytes, 0, 6);
      put(bytes, 0x0a00'0009, 4);
      break;
    case Frame::Kind::other:
      put(bytes, 0x88b5, 2);  // IEEE 802 local experiments
      break;
  }
  bytes.resize(std::max<size_t>(bytes.size(), 60));
  return bytes;
}

class Segment {
 public:
  Segment(size_t hosts, uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < hosts; ++i) hosts_.push_back(host(i));
  }

  const std::vector<Host>& hosts() const { return hosts_; }

  Frame frame() {
    Frame frame;
    const Host& sender = one_of(hosts_);
    const Host& other = one_of(hosts_);
    frame.mac = below(8) == 0 ? stranger() : sender.mac;
    frame.claimed = below(4) == 0 ? other.mac : frame.mac;
    frame.kind = static_cast<Frame::Kind>(std::min<size_t>(below(8), 3));
    if (below(2) == 0) frame.kind = Frame::Kind::ipv4;
    if (below(4) == 0) frame.tags = static_cast<int>(1 + below(3));
    frame.cut = frame.kind == Frame::Kind::ipv4 && below(16) == 0;
    const Host& speaks_for = below(4) == 0 ? other : sender;
    frame.ipv4 = static_cast<uint32_t>(0x0a00'0000 + 1 + below(0xfffff));
    if (!speaks_for.ipv4.empty()) {
      const Host::Range& range = one_of(speaks_for.ipv4);
      frame.ipv4 = range.network | static_cast<uint32_t>(below(size_t{1} << (32 - range.length)));
    }
    frame.ipv6 = speaks_for.ipv6.empty() ? static_cast<uint16_t>(1 + below(0xfff)) : one_of(speaks_for.ipv6);
    return frame;
  }

 private:
  size_t below(size_t limit) { return random_() % limit; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

  // MACs in a row, as a manager of virtual machines gives them, or any.
  Host host(size_t number) {
    Host host;
    host.mac = MacAddress::from_u64(0x0200'0000'0000 + number);
    if (below(2) == 0) host.mac = MacAddress::from_u64(0x0600'0000'0000 + (number << 24) + below(1U << 24));
    for (size_t left = below(4); left > 0; --left) {
      const unsigned length = below(3) == 0 ? static_cast<unsigned>(16 + below(16)) : 32;
      const auto ip = static_cast<uint32_t>(0x0a00'0000 + 1 + below(0xfffff));
      host.ipv4.push_back({ip & ~0U << (32 - length), length});
    }
    for (size_t left = below(3); left > 0; --left) host.ipv6.push_back(static_cast<uint16_t>(1 + below(0xfff)));
    return host;
  }

  // A MAC that differs in one bit from a bound one, or any.
  MacAddress stranger() {
    if (below(2) == 0) return MacAddress::from_u64(0x0a00'0000'0000 + below(size_t{1} << 32));
    return MacAddress::from_u64(one_of(hosts_).mac.to_u64() ^ size_t{1} << (42 + below(5)));
  }

  std::mt19937_64 random_;
  std::vector<Host> hosts_;
};

IpAddress ipv6_of(uint16_t number) {
  return {
      {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

Bindings bindings_of(const std::vector<Host>& hosts) {
  Bindings bindings;
  for (const Host& host : hosts) {
    Binding& binding = bindings.emplace_back();
    binding.mac = host.mac;
    for (const Host::Range& range : host.ipv4) {
      const be32 network(range.network);
      binding.addresses.push_back({IpAddress::v4(&network), static_cast<uint8_t>(range.length)});
    }
    for (const uint16_t number : host.ipv6) binding.addresses.push_back({ipv6_of(number), 128});
  }
  return bindings;
}

class Port {
 public:
  explicit Port(const std::vector<Host>& hosts) {
    in_.bound = true;
    in_.bindings = std::make_shared<const BindingTable>(bindings_of(hosts), 7);
  }

  // Which frames of a burst pass, in order.
  std::vector<bool> passed(const std::vector<Frame>& frames) {
    Batch batch;
    std::map<const rte_mbuf*, size_t> place_of;
    for (const Frame& frame : frames) {
      rte_mbuf* const m = to_exact_mbuf(pool_, to_bytes(frame));
      place_of[m] = batch.count;
      batch.frame[batch.count++] = m;
    }
    parse_bridge_port(*context_, in_, batch);
    std::vector<bool> passed(frames.size());
    size_t last = 0;
    for (uint16_t i = 0; i < batch.count; ++i) {
      const size_t place = place_of.at(batch.frame[i]);
      CHECK((i == 0 || place > last));
      last = place;
      passed[place] = true;
      CHECK(batch.key[i] == FlowKey::read(rte_pktmbuf_mtod(batch.frame[i], void*), outer_vlan(batch.frame[i], 0), 0));
      rte_pktmbuf_free(batch.frame[i]);
    }
    return passed;
  }
  uint64_t drops(DropReason reason) const { return context_->counters.drops[static_cast<size_t>(reason)].get(); }

 private:
  MbufPool pool_;
  Tables tables_;
  std::unique_ptr<WorkerContext> context_ = std::make_unique<WorkerContext>(tables_, 0, 1024, 1);
  Adjacency in_;
};

}  // namespace

TEST_CASE("bindings: any set of them says of any burst what looking through it says") {
  for (const size_t hosts : {1U, 2U, 4U, 5U, 9U, 40U, 300U, 4096U}) {
    Segment segment(hosts, hosts);
    Port port(segment.hosts());
    std::map<DropReason, uint64_t> all;
    for (int burst = 0; burst < 100; ++burst) {
      std::vector<Frame> frames;
      std::vector<bool> expected;
      while (frames.size() < kBatch) {
        frames.push_back(segment.frame());
        const DropReason verdict = reference_verdict(segment.hosts(), frames.back());
        expected.push_back(verdict == DropReason::none);
        ++all[verdict];
      }
      CAPTURE(hosts, burst);
      REQUIRE(port.passed(frames) == expected);
      REQUIRE(port.drops(DropReason::mac_not_bound) == all[DropReason::mac_not_bound]);
      REQUIRE(port.drops(DropReason::address_not_bound) == all[DropReason::address_not_bound]);
    }
    CHECK(all.size() == 3);
  }
}

TEST_CASE("bindings: what is seen at once holds a prefix of any length, and no more") {
  std::mt19937_64 random(6);
  const MacAddress mac = MacAddress::from_u64(0x0200'0000'0001);
  for (const bool v4 : {true, false}) {
    const size_t first = v4 ? 12 : 0;
    for (unsigned length = 0; length <= (v4 ? 32U : 128U); ++length) {
      IpPrefix prefix{v4 ? IpAddress::v4(10, 0, 0, 0) : IpAddress{}, static_cast<uint8_t>(length)};
      for (size_t i = first; i < 16; ++i) prefix.address.bytes[i] = static_cast<uint8_t>(random());
      const BindingTable table({{mac, {prefix}}}, 1);
      const BindingTable::Place& place = table.place_of(mac.to_raw());
      REQUIRE(place.mac == mac.to_raw());
      for (size_t bit = 8 * first; bit < 128; ++bit) {
        CAPTURE(v4, length, bit);
        IpAddress other = prefix.address;
        other.bytes[bit / 8] = static_cast<uint8_t>(other.bytes[bit / 8] ^ 0x80 >> bit % 8);
        uint32_t word = 0;
        std::array<uint64_t, 2> words{};
        std::memcpy(&word, other.v4_wire(), sizeof(word));
        std::memcpy(words.data(), other.bytes.data(), sizeof(words));
        CHECK((v4 ? place.ipv4.contains(word) : place.ipv6.contains(words)) == prefix.contains(other));
      }
    }
  }
}

}  // namespace causeway::test
