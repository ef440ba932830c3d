#include "control/ctl/trace_frame.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "control/config/address_text.h"
#include "control/yaml/value.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/vlan.h"

namespace causeway {
namespace {

constexpr size_t kMostBytes = 65535;
constexpr size_t kLeastBytes = 60;  // of a frame on Ethernet, without its checksum

void put(FrameBytes& to, uint64_t value, size_t bytes) {
  while (bytes-- != 0) to.push_back(static_cast<uint8_t>(value >> 8 * bytes));
}
void put_bytes(FrameBytes& to, const uint8_t* from, size_t bytes) { to.insert(to.end(), from, from + bytes); }
void put(FrameBytes& to, const MacAddress& mac) { put_bytes(to, mac.bytes.data(), mac.bytes.size()); }
void put(FrameBytes& to, const IpAddress& ip) {
  if (ip.is_v4()) return put_bytes(to, ip.v4_wire(), 4);
  put_bytes(to, ip.bytes.data(), ip.bytes.size());
}
void set_checksum(FrameBytes& frame, size_t at, be16 checksum) { std::memcpy(&frame[at], &checksum, sizeof checksum); }

constexpr std::array<std::string_view, 12> kKeys{"src",   "dst",   "vlan",  "ip-src", "ip-dst", "arp",
                                                 "proto", "sport", "dport", "ttl",    "tos",    "bytes"};

// The words, each understood when it is asked for.
class Words {
 public:
  Error read(std::string_view text) {
    while (!text.empty()) {
      const size_t comma = std::min(text.find(','), text.size());
      const std::string_view word = text.substr(0, comma);
      text.remove_prefix(std::min(comma + 1, text.size()));
      const size_t equals = word.find('=');
      const std::string_view key = word.substr(0, equals);
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        config::Suggestion suggestion(key);
        for (const std::string_view known : kKeys) suggestion.consider(known);
        return fmt::format("unknown key {}{}", config::quote(key), suggestion.text());
      }
      if (equals == std::string_view::npos) return fmt::format("{}: a value is missing ({}=...)", key, key);
      if (!words_.emplace(key, word.substr(equals + 1)).second) return fmt::format("{}: said twice", key);
    }
    return {};
  }
  bool has(std::string_view key) const { return words_.contains(key); }

  uint32_t number(std::string_view key, uint32_t otherwise, uint32_t most) {
    const auto found = words_.find(key);
    if (found == words_.end()) return otherwise;
    const std::string_view text = found->second;
    uint32_t value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong != std::errc() || end != text.data() + text.size() || value > most) {
      fail(fmt::format("{}: {} is not a number from 0 to {}", key, config::quote(text), most));
    }
    return value;
  }
  MacAddress mac(std::string_view key) {
    const auto found = words_.find(key);
    const auto mac = found != words_.end() ? parse_mac(found->second) : std::nullopt;
    if (!mac)
      fail(fmt::format("{}: {}", key, found == words_.end() ? "is missing: a MAC address" : "not a MAC address"));
    return mac.value_or(MacAddress{});
  }
  std::optional<IpAddress> ip(std::string_view key) {
    const auto found = words_.find(key);
    if (found == words_.end()) return std::nullopt;
    const auto ip = parse_ip(found->second);
    if (!ip) fail(fmt::format("{}: {} is not an IP address", key, config::quote(found->second)));
    return ip;
  }
  uint8_t protocol(bool ipv6) {
    const auto found = words_.find("proto");
    if (found == words_.end() || found->second == "udp") return kIpProtocolUdp;
    if (found->second == "tcp") return kIpProtocolTcp;
    if (found->second != "icmp") fail(fmt::format("proto: udp, tcp or icmp, not {}", config::quote(found->second)));
    return ipv6 ? kIpProtocolIcmpv6 : kIpProtocolIcmp;
  }
  void fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }
  Error error() const { return why_; }  // the first

 private:
  std::map<std::string_view, std::string_view> words_;
  std::string why_;
};

// RFC 768, RFC 9293 section 3.1, RFC 792, RFC 4443 section 4.1; the checksum is 0. Returns where that stands.
size_t put_l4(FrameBytes& frame, Words& words, uint8_t protocol, size_t payload_bytes) {
  const size_t begin = frame.size();
  size_t checksum = begin + 2;
  if (protocol == kIpProtocolIcmp || protocol == kIpProtocolIcmpv6) {
    constexpr uint64_t kEcho6 = 128;
    put(frame, protocol == kIpProtocolIcmp ? kIcmpEchoRequest : kEcho6, 1);
    put(frame, 0, 7);
  } else {
    constexpr uint32_t kSource = 40000;
    constexpr uint32_t kDestination = 40001;
    put(frame, words.number("sport", kSource, UINT16_MAX), 2);
    put(frame, words.number("dport", kDestination, UINT16_MAX), 2);
    if (protocol == kIpProtocolUdp) {
      put(frame, 8 + payload_bytes, 2);
      put(frame, 0, 2);
      checksum = begin + 6;
    } else {
      put(frame, 0, 8);  // sequence and acknowledgment
      put(frame, 0x50, 1);
      put(frame, kTcpSyn, 1);
      put(frame, 65535, 2);  // window
      put(frame, 0, 4);
      checksum = begin + 16;
    }
  }
  frame.insert(frame.end(), payload_bytes, 0);
  return checksum;
}

size_t l4_header_bytes(uint8_t protocol) { return protocol == kIpProtocolTcp ? 20 : 8; }

// RFC 791, RFC 8200, and what is behind them, `bytes` all together.
void put_ip(FrameBytes& frame, Words& words, const IpAddress& source, const IpAddress& destination, size_t bytes) {
  const bool ipv6 = source.is_v6();
  const uint8_t protocol = words.protocol(ipv6);
  const size_t ip_bytes = ipv6 ? 40 : 20;
  const size_t headers = ip_bytes + l4_header_bytes(protocol);
  const size_t payload = bytes > headers ? bytes - headers : 0;
  const size_t l4_bytes = headers - ip_bytes + payload;
  const uint64_t ttl = words.number("ttl", 64, UINT8_MAX);
  const uint64_t tos = words.number("tos", 0, UINT8_MAX);
  const size_t ip_at = frame.size();
  if (ipv6) {
    put(frame, uint64_t{6} << 28 | tos << 20, 4);
    put(frame, l4_bytes, 2);
    put(frame, protocol, 1);
    put(frame, ttl, 1);
  } else {
    put(frame, Ipv4Header::kVersionIhl, 1);
    put(frame, tos, 1);
    put(frame, ip_bytes + l4_bytes, 2);
    put(frame, 0, 2);
    put(frame, kIpv4DontFragment, 2);
    put(frame, ttl, 1);
    put(frame, protocol, 1);
    put(frame, 0, 2);
  }
  put(frame, source);
  put(frame, destination);
  if (!ipv6) set_checksum(frame, ip_at + 10, checksum_of(sum_bytes(&frame[ip_at], ip_bytes)));
  const size_t l4_at = frame.size();
  const size_t checksum = put_l4(frame, words, protocol, payload);
  const uint32_t pseudo =
      protocol == kIpProtocolIcmp ? 0 : pseudo_header_sum_at(&frame[ip_at], protocol, static_cast<uint32_t>(l4_bytes));
  const uint32_t sum = sum_bytes(&frame[l4_at], l4_bytes, pseudo);
  set_checksum(frame, checksum, protocol == kIpProtocolUdp ? udp_checksum_of(sum) : checksum_of(sum));
}

// RFC 826.
void put_arp(FrameBytes& frame, const MacAddress& mac, const IpAddress& sender, const IpAddress& target) {
  put(frame, kArpHardwareEthernet, 2);
  put(frame, kEtherTypeIpv4, 2);
  put(frame, 6, 1);
  put(frame, 4, 1);
  put(frame, kArpRequest, 2);
  put(frame, mac);
  put(frame, sender);
  put(frame, MacAddress{});
  put(frame, target);
}

}  // namespace

Error frame_of_hex(std::string_view text, FrameBytes& frame) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      digits += c;
    } else if (std::string_view(" :\t\r\n").find(c) == std::string_view::npos) {
      return fmt::format("{} is no hex digit", config::quote(std::string_view(&c, 1)));
    }
  }
  if (digits.size() % 2 != 0) return fmt::format("{} digits: two a byte are wanted", digits.size());
  if (digits.empty() || digits.size() > 2 * kMostBytes) return fmt::format("a frame has 1 to {} bytes", kMostBytes);
  for (size_t i = 0; i < digits.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(&digits[i], &digits[i] + 2, byte, 16);
    frame.push_back(byte);
  }
  return {};
}

Error frame_of_pcap(const std::string& path, uint64_t number, FrameBytes& frame) {
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file(pcap_open_offline(path.c_str(), why.data()), pcap_close);
  if (file == nullptr) return std::string(why.data());
  if (pcap_datalink(file.get()) != DLT_EN10MB) return fmt::format("{}: its frames are not Ethernet's", path);
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  for (uint64_t i = 0; i < number; ++i) {
    const int result = pcap_next_ex(file.get(), &header, &bytes);
    if (result == PCAP_ERROR_BREAK) return fmt::format("{}: has {} frames, not {}", path, i, number);
    if (result != 1) return fmt::format("{}: {}", path, pcap_geterr(file.get()));
  }
  if (header->caplen != header->len) {
    return fmt::format("{}: of frame {} only {} of {} bytes were kept", path, number, header->caplen, header->len);
  }
  if (header->caplen == 0 || header->caplen > kMostBytes) return fmt::format("a frame has 1 to {} bytes", kMostBytes);
  frame.assign(bytes, bytes + header->caplen);
  return {};
}

Error frame_of_flow(std::string_view text, FrameBytes& frame) {
  Words words;
  if (Error error = words.read(text)) return error;
  const MacAddress source = words.mac("src");
  const auto ip_source = words.ip("ip-src");
  const auto ip_destination = words.ip("ip-dst");
  const auto target = words.ip("arp");
  put(frame, words.mac("dst"));
  put(frame, source);
  if (words.has("vlan")) {
    put(frame, kEtherTypeVlan, 2);
    put(frame, words.number("vlan", 0, 4094), 2);
  }
  // Where it is said how long the frame is, the packet fills it.
  const size_t bytes = words.number("bytes", kLeastBytes, kMostBytes);
  const size_t behind = words.has("bytes") && bytes > frame.size() + 2 ? bytes - frame.size() - 2 : 0;
  if (target) {
    if (!target->is_v4() || (ip_source && !ip_source->is_v4())) words.fail("arp: is about IPv4 addresses");
    if (ip_destination) words.fail("arp: leave out ip-dst");
    put(frame, kEtherTypeArp, 2);
    put_arp(frame, source, ip_source.value_or(IpAddress::v4(0, 0, 0, 0)), *target);
  } else if (ip_source && ip_destination) {
    if (ip_source->is_v4() != ip_destination->is_v4()) words.fail("ip-src, ip-dst: of different IP versions");
    put(frame, ip_source->is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6, 2);
    put_ip(frame, words, *ip_source, *ip_destination, behind);
  } else {
    if (words.has("proto") || ip_source || ip_destination) words.fail("ip-src and ip-dst are wanted, or arp");
    constexpr uint64_t kLocalExperimental = 0x88b5;  // IEEE 802
    put(frame, kLocalExperimental, 2);
  }
  if (frame.size() < bytes) frame.resize(bytes);
  if (frame.size() > kMostBytes) words.fail(fmt::format("a frame has 1 to {} bytes", kMostBytes));
  return words.error();
}

}  // namespace causeway
