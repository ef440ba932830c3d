#include "control/config/address_text.h"
#include "tests/catch.h"

using namespace causeway;

TEST_CASE("MAC addresses") {
  const auto mac = parse_mac("02:aB:cD:00:fF:01");
  REQUIRE(mac);
  CHECK(mac->bytes == std::array<uint8_t, 6>{0x02, 0xab, 0xcd, 0x00, 0xff, 0x01});
  CHECK(to_string(*mac) == "02:ab:cd:00:ff:01");
  for (const char* bad :
       {"", "02:00:00:00:00", "02:00:00:00:00:01:02", "02-00-00-00-00-01", "02:00:00:00:00:0g", "2:0:0:0:0:1",
        " 02:00:00:00:00:01", "02:00:00:00:00:01 ", "020000000001", "02:00:00:00:00+01"}) {
    INFO(bad);
    CHECK_FALSE(parse_mac(bad));
  }
}

TEST_CASE("IP addresses") {
  CHECK(parse_ip("172.31.0.1") == IpAddress::v4(172, 31, 0, 1));
  CHECK(parse_ip("255.255.255.255") == IpAddress::v4(255, 255, 255, 255));
  for (const char* text : {"0.0.0.0", "10.20.30.40", "::", "::1", "fd00:31::1", "ff02::1:ff00:1",
                           "2001:db8:0:1:1:1:1:1", "1:2:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    INFO(text);
    const auto ip = parse_ip(text);
    REQUIRE(ip);
    CHECK(to_string(*ip) == text);
  }
  // RFC 5952 section 4: lower case, no leading zeros, the longest run of zeros goes.
  CHECK(to_string(*parse_ip("2001:DB8:0:0:1:0:0:1")) == "2001:db8::1:0:0:1");
  CHECK(to_string(*parse_ip("2001:0db8:0000:0000:0000:0000:0002:0001")) == "2001:db8::2:1");
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/24", ":",
                          ":::", "1::2::3", "12345::", "fe80::1%eth0", "::ffff:1.2.3.4", "localhost",
                          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    INFO(bad);
    CHECK_FALSE(parse_ip(bad));
  }
  CHECK_FALSE(parse_ip(std::string_view("1.2.3.4\0\0", 9)));
}

TEST_CASE("prefixes") {
  for (const char* text : {"172.31.0.1/24", "0.0.0.0/0", "10.0.0.1/32", "::/0", "fd00:31::1/64", "::1/128"}) {
    INFO(text);
    const auto prefix = parse_prefix(text);
    REQUIRE(prefix);
    CHECK(to_string(*prefix) == text);
  }
  for (const char* bad : {"", "/", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+1", "1.2.3.4/024",
                          "1.2.3.4/24 ", "::1/129", "1.2.3.4/24/24", "/24", "1.2.3.4/4294967320"}) {
    INFO(bad);
    CHECK_FALSE(parse_prefix(bad));
  }
}

TEST_CASE("the network of a prefix") {
  const auto network = [](const char* text) { return to_string(network_of(*parse_prefix(text))); };
  CHECK(network("172.31.0.1/24") == "172.31.0.0/24");
  CHECK(network("172.31.255.255/17") == "172.31.128.0/17");
  CHECK(network("172.31.0.1/32") == "172.31.0.1/32");
  CHECK(network("172.31.0.1/0") == "0.0.0.0/0");
  CHECK(network("fd00:31:ffff::1/35") == "fd00:31:e000::/35");
  CHECK(network("fd00::1/0") == "::/0");
}
