// A filter's program is not run over most frames that it wouldn't take (control/capture/necessary_words): what passes
// is still what libpcap says.
#include <pcap/pcap.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "control/capture/filter_program.h"
#include "control/capture/necessary_words.h"
#include "tests/catch.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

constexpr int kFramesAFilter = 4000;

// By libpcap's compiler and interpreter.
class Libpcap {
 public:
  explicit Libpcap(const std::string& expression) {
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> ethernet(pcap_open_dead(DLT_EN10MB, 65535), pcap_close);
    REQUIRE(pcap_compile(ethernet.get(), &program_, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0);
  }
  ~Libpcap() { pcap_freecode(&program_); }
  Libpcap(const Libpcap&) = delete;
  Libpcap& operator=(const Libpcap&) = delete;

  std::span<const bpf_insn> instructions() const { return {program_.bf_insns, program_.bf_len}; }
  // As `tcpdump -ddd` prints it.
  std::string text() const {
    std::string text = std::to_string(program_.bf_len) + "\n";
    for (const bpf_insn& i : instructions()) {
      text += std::to_string(i.code) + " " + std::to_string(i.jt) + " " + std::to_string(i.jf) + " " +
              std::to_string(i.k) + "\n";
    }
    return text;
  }
  bool passes(const Bytes& frame) const {
    const auto bytes = static_cast<u_int>(frame.size());
    return bpf_filter(program_.bf_insns, frame.data(), bytes, bytes) != 0;
  }

 private:
  bpf_program program_{};
};

class RandomFrames {
 public:
  explicit RandomFrames(unsigned seed) : random_(seed) {
    for (const std::string& name : pipeline_frames().names()) {
      const Bytes& bytes = pipeline_frames()[name];
      if (!bytes.empty() && bytes.size() <= 1514) frames_.push_back(bytes);
    }
  }

  // One of the pipeline's, as it is, with some bytes changed, or cut short.
  Bytes next() {
    Bytes frame = frames_.at(random_() % frames_.size());
    if (random_() % 2 == 0) {
      for (int i = 0; i < 3; ++i)
        frame[random_() % std::min<size_t>(frame.size(), 64)] = kLikely.at(random_() % kLikely.size());
    }
    if (random_() % 8 == 0) frame.resize(1 + random_() % frame.size());
    return frame;
  }

 private:
  // Of what the filters ask for.
  static constexpr std::array<uint8_t, 14> kLikely = {0x08, 0x00, 0x86, 0xdd, 0x45, 0x46, 0x11,
                                                      0x06, 0x01, 0x12, 0xb5, 0x17, 0xc1, 0x50};
  std::mt19937 random_;
  std::vector<Bytes> frames_;
};

}  // namespace

TEST_CASE("capture: a filter passes what libpcap's passes, its program asked or not") {
  const std::string expression =
      GENERATE("udp src port 40000", "udp port 4789", "port 80", "host 10.0.0.1", "tcp", "arp", "ip6", "icmp or arp",
               "ether host 02:00:00:00:00:01", "not udp", "udp[8:4] & 0xff = 0", "ip[6:2] & 0x1fff = 0", "len > 100",
               "vlan 10", "tcp[tcpflags] & tcp-syn != 0", "icmp[0] = 8", "less 60 or tcp[13] & 2 != 0",
               "net 172.31.0.0/16 and not port 6081", "ip proto 47", "udp portrange 4000-5000",
               "src host 172.31.0.2 and udp dst port 6081", "ether broadcast or ip multicast");
  CAPTURE(expression);
  start_test_eal();
  const Libpcap pcap(expression);
  FrameFilter filter;
  REQUIRE(read_filter_program(pcap.text(), filter) == Error());
  MbufPool pool(63, 4096);
  RandomFrames frames(19);
  int passed = 0;
  for (int i = 0; i < kFramesAFilter; ++i) {
    const Bytes frame = frames.next();
    rte_mbuf* const m = to_mbuf(pool, frame);
    const bool passes = filter.passes(m);
    rte_pktmbuf_free(m);
    CAPTURE(to_hex(frame));
    REQUIRE(passes == pcap.passes(frame));
    passed += passes ? 1 : 0;
  }
  CHECK(passed > 0);
  CHECK(passed < kFramesAFilter);
}

TEST_CASE("capture: what people ask for is known by a few words") {
  const std::string expression = GENERATE("udp src port 1024", "udp port 4789", "host 10.0.0.1", "tcp", "arp",
                                          "src host 172.31.0.2 and udp dst port 6081");
  CAPTURE(expression);
  CHECK_FALSE(necessary_words(Libpcap(expression).instructions()).empty());
}

TEST_CASE("capture: of a program with too many ways, and of one that asks nothing, no words are kept") {
  const std::string expression = GENERATE("len > 100", "portrange 1-100 or host 10.0.0.1 or host 10.0.0.2");
  CAPTURE(expression);
  CHECK(necessary_words(Libpcap(expression).instructions()).empty());
}

}  // namespace causeway::test
