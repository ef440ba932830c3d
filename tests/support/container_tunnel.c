// A container's own tunnel on a kernel without the tunnel's driver: at the tc hook of its interface, the helper that
// container networks use (bpf_skb_adjust_room) puts outer headers around all TCP, and takes them off again. What the
// kernel makes of a super-packet is what ipip, sit, ip6_tunnel, gre and fou make of it: the same gso_type, and
// csum_start of the inner TCP header.
//
// Compiled by tests/support/container_tunnel.py with OUTER (bytes of the headers), OUTER_BYTES, OUTER_TYPE, INNER_TYPE
// (ethertypes), ENCAP_FLAGS and DECAP_FLAGS.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static long (*const store_bytes)(struct __sk_buff*, unsigned, const void*, unsigned, unsigned long long) = (void*)9;
static long (*const load_bytes)(const struct __sk_buff*, unsigned, void*, unsigned) = (void*)26;
static long (*const adjust_room)(struct __sk_buff*, int, unsigned, unsigned long long) = (void*)50;

#define SECTION(name) __attribute__((section(name), used))
#define SWAPPED(value) __builtin_bswap16(value)

enum { kEthernetBytes = 14, kIpv6Bytes = 40, kTcp = 6, kUdp = 17 };

static unsigned short ethertype_of(struct __sk_buff* skb) {
  unsigned short type = 0;
  load_bytes(skb, 12, &type, sizeof type);
  return SWAPPED(type);
}

static unsigned char protocol_of(struct __sk_buff* skb, unsigned short type) {
  unsigned char protocol = 0;
  load_bytes(skb, kEthernetBytes + (type == 0x0800 ? 9 : 6), &protocol, 1);
  return protocol;
}

SECTION("encap")
int put_on(struct __sk_buff* skb) {
  if (ethertype_of(skb) != INNER_TYPE || protocol_of(skb, INNER_TYPE) != kTcp) return TC_ACT_UNSPEC;
  if (adjust_room(skb, OUTER_BYTES, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | ENCAP_FLAGS)) return TC_ACT_SHOT;
  unsigned char outer[OUTER_BYTES] = {OUTER};
  const unsigned bytes = skb->len - kEthernetBytes;
  const unsigned length = OUTER_TYPE == 0x0800 ? bytes : bytes - kIpv6Bytes;
  const int at = OUTER_TYPE == 0x0800 ? 2 : 4;
  outer[at] = length >> 8;
  outer[at + 1] = length;
  if (OUTER_TYPE == 0x0800) {
    unsigned sum = 0;
    for (int i = 0; i < 20; i += 2) sum += outer[i] << 8 | outer[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    outer[10] = sum >> 8;
    outer[11] = sum;
  }
  const int l4 = OUTER_TYPE == 0x0800 ? 20 : 40;
  if (OUTER_BYTES > l4 + 5 && outer[OUTER_TYPE == 0x0800 ? 9 : 6] == kUdp) {
    outer[l4 + 4] = (bytes - l4) >> 8;
    outer[l4 + 5] = bytes - l4;
  }
  store_bytes(skb, kEthernetBytes, outer, OUTER_BYTES, 0);
  const unsigned short type = SWAPPED(OUTER_TYPE);
  store_bytes(skb, 12, &type, sizeof type, 0);
  return TC_ACT_UNSPEC;
}

SECTION("decap")
int take_off(struct __sk_buff* skb) {
  static const unsigned char outer[] = {OUTER};
  if (ethertype_of(skb) != OUTER_TYPE) return TC_ACT_UNSPEC;
  if (protocol_of(skb, OUTER_TYPE) != outer[OUTER_TYPE == 0x0800 ? 9 : 6]) return TC_ACT_UNSPEC;
  if (adjust_room(skb, -OUTER_BYTES, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | DECAP_FLAGS)) return TC_ACT_SHOT;
  const unsigned short type = SWAPPED(INNER_TYPE);
  store_bytes(skb, 12, &type, sizeof type, 0);
  return TC_ACT_UNSPEC;
}

char license_text[] SECTION("license") = "GPL";
