// What a daemon has learnt, as text for the next one.
#include "control/keep/learnt.h"

#include <string>

#include "control/config/address_text.h"
#include "tests/catch.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr LearntText::Clock::time_point kWritten{1'700'000'000s};

std::string text_of_all() {
  LearntText text(kWritten);
  text.add(LearntMac{"br0", mac_vlan(*parse_mac("02:00:00:00:00:01"), 0), "p1", {}, 7});
  text.add(LearntMac{"br0", mac_vlan(*parse_mac("02:00:00:00:00:02"), 10), "gnv0", parse_ip("172.31.0.2"), 0});
  text.add(LearntNeighbor{"up0", *parse_ip("fd00:31::2"), *parse_mac("02:00:00:00:00:03")});
  text.add(LearntVtep{"vx0", *parse_ip("172.31.0.3")});
  text.add(LearntPath{{*parse_ip("172.31.0.1"), *parse_ip("172.31.0.2")}, 1400, 500});
  return text.take();
}

// Why it isn't read; empty: it is.
std::string refusal(std::string_view text) {
  std::string error;
  const auto learnt = read_learnt(text, kWritten, error);
  CHECK(learnt.has_value() == error.empty());
  return error;
}

}  // namespace

TEST_CASE("learnt: what is written is read, as much later as it is") {
  const std::string text = text_of_all();
  CHECK(
      text.starts_with("causeway-learnt 1 1700000000\n"
                       "mac br0 0 02:00:00:00:00:01 p1 - 7\n"
                       "mac br0 10 02:00:00:00:00:02 gnv0 172.31.0.2 0\n"
                       "neighbor up0 fd00:31::2 02:00:00:00:00:03\n"
                       "vtep vx0 172.31.0.3\n"
                       "path 172.31.0.1 172.31.0.2 1400 500\n"
                       "end 5 "));
  std::string error;
  const auto learnt = read_learnt(text, kWritten + 20s, error);
  REQUIRE(learnt);
  REQUIRE(learnt->macs.size() == 2);
  CHECK(learnt->macs[0].bridge == "br0");
  CHECK(learnt->macs[0].interface == "p1");
  CHECK(!learnt->macs[0].remote);
  CHECK(learnt->macs[0].age_s == 27);
  CHECK(vlan_of(learnt->macs[1].key) == 10);
  CHECK(to_string(mac_of(learnt->macs[1].key)) == "02:00:00:00:00:02");
  CHECK(learnt->macs[1].remote == parse_ip("172.31.0.2"));
  REQUIRE(learnt->neighbors.size() == 1);
  CHECK(learnt->neighbors[0].port == "up0");
  CHECK(learnt->neighbors[0].mac == *parse_mac("02:00:00:00:00:03"));
  REQUIRE(learnt->vteps.size() == 1);
  CHECK(learnt->vteps[0].tunnel == "vx0");
  REQUIRE(learnt->paths.size() == 1);
  CHECK(learnt->paths[0].mtu == 1400);
  CHECK(learnt->paths[0].left_s == 480);
}

TEST_CASE("learnt: nothing is a text, too, and a clock that went back makes nothing younger") {
  LearntText nothing(kWritten);
  CHECK(refusal(nothing.take()).empty());
  std::string error;
  const auto learnt = read_learnt(text_of_all(), kWritten - 1h, error);
  REQUIRE(learnt);
  CHECK(learnt->macs[0].age_s == 7);
}

TEST_CASE("learnt: what is cut is refused") {
  const std::string text = text_of_all();
  for (size_t bytes = 0; bytes < text.size(); ++bytes) {
    CAPTURE(bytes);
    CHECK(refusal(text.substr(0, bytes)) == "it is cut, or was written by something else");
  }
  CHECK(refusal(text).empty());
}

TEST_CASE("learnt: a byte that is another one is refused") {
  const std::string text = text_of_all();
  for (size_t at = 0; at < text.size(); ++at) {
    std::string other = text;
    other[at] = static_cast<char>(other[at] ^ 0x11);
    CAPTURE(at);
    CHECK(!refusal(other).empty());
  }
}

TEST_CASE("learnt: a line of a later version is refused, and named") {
  // What such a text sums up to, by FNV-1a as python has it:
  //   h = 0xcbf29ce484222325
  //   for b in text: h = (h ^ b) * 0x100000001b3 % 2**64
  CHECK(refusal("causeway-learnt 1 1700000000\nvtep vx0 172.31.0.3\nnews p1\nend 2 493d846325a60709\n") ==
        "line 3 is none that is known");
  CHECK(refusal("causeway-learnt 1 1700000000\nvtep vx0 nowhere\nend 1 144057c8e7036458\n") ==
        "line 2 is none that is known");
}

TEST_CASE("learnt: numbers that no daemon has written are refused") {
  CHECK(refusal("causeway-learnt 1 1700000000\nmac br0 0 02:00:00:00:00:01 p1 - 18446744073709551615\nend 1 "
                "7217e116b99c5fb8\n") == "line 2 is none that is known");
  CHECK(refusal("causeway-learnt 1 1700000000\npath 172.31.0.1 172.31.0.2 1279 500\nend 1 c06a0deede0a2487\n") ==
        "line 2 is none that is known");
  CHECK(refusal("causeway-learnt 1 1700000000\npath 172.31.0.1 172.31.0.2 1400 9223372036854775807\nend 1 "
                "d40661e778a26704\n") == "line 2 is none that is known");
  CHECK(refusal("causeway-learnt 1 1700000000\npath 172.31.0.1 172.31.0.2 1400 -9223372036854775807\nend 1 "
                "fa3e554f81305a53\n") == "line 2 is none that is known");
  CHECK(refusal("causeway-learnt 1 -9223372036854775807\nvtep vx0 172.31.0.3\nend 1 ccbfda250b219d0a\n") ==
        "it is cut, or was written by something else");
}

}  // namespace causeway
