// Each rule of merging and of not merging, against what scapy says must be left.
#include <set>

#include "tests/unit/coalesce/support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

std::string line(const std::string& way, const std::string& name, size_t index) {
  return way + "." + name + "." + std::to_string(index);
}

std::vector<std::string> case_names() {
  std::set<std::string> names;
  for (const std::string& entry : coalesce_frames().names("in.")) names.insert(entry.substr(3, entry.rfind('.') - 3));
  return {names.begin(), names.end()};
}

uint64_t number_or_0(const std::string& name, const std::string& key) {
  try {
    return coalesce_frames().number(name, key);
  } catch (const std::out_of_range&) {
    return 0;
  }
}

uint64_t written_flags(const std::string& name) {
  if (number_or_0(name, "csum_start") == 0) return 0;
  return number_or_0(name, "gso_size") != 0 ? kNeedsChecksum | kNeedsSegment : kNeedsChecksum;
}

Intent written_intent(const std::string& name) {
  Intent intent;
  intent.csum_start = static_cast<uint16_t>(number_or_0(name, "csum_start"));
  intent.csum_offset = 16;
  intent.gso_size = static_cast<uint16_t>(number_or_0(name, "gso_size"));
  intent.gso_type = static_cast<GsoType>(number_or_0(name, "gso_type"));
  return intent;
}

std::vector<rte_mbuf*> case_frames(rte_mempool* pool, const std::string& name, const std::vector<uint16_t>& chain) {
  std::vector<rte_mbuf*> frames;
  for (size_t i = 0; coalesce_frames().contains(line("in", name, i)); ++i) {
    const std::string in = line("in", name, i);
    frames.push_back(to_mbuf(pool, coalesce_frames()[in], chain));
    if (written_flags(in) != 0) set_intent(frames.back(), written_intent(in), written_flags(in));
  }
  return frames;
}

void check_intent(const rte_mbuf* m, const std::string& name) {
  CHECK((m->ol_flags & kIntentFlags) == written_flags(name));
  if (!has_intent(m)) return;
  const Intent got = intent_of(m);
  const Intent wanted = written_intent(name);
  CHECK(got.csum_start == wanted.csum_start);
  CHECK(got.csum_offset == wanted.csum_offset);
  CHECK(got.gso_size == wanted.gso_size);
  CHECK(got.gso_type == wanted.gso_type);
  CHECK(got.tunnel_bytes == 0);
}

}  // namespace

TEST_CASE("coalesce: what is left is what scapy says") {
  MbufPool pool(4095);
  const std::vector<std::string> names = case_names();
  REQUIRE(names.size() > 150);
  for (const std::string& name : names) {
    for (const auto& chain : std::vector<std::vector<uint16_t>>{{}, {200, 1500}, {94, 60}}) {
      // Frames of a thousand mbufs are another test's.
      if (!chain.empty() && coalesce_frames()[line("in", name, 0)].size() > 300) continue;
      CAPTURE(name, chain);
      std::vector<rte_mbuf*> frames = case_frames(pool, name, chain);
      const size_t given = frames.size();
      const Coalesced result = coalesce(frames.data(), static_cast<uint16_t>(given), takes_big_frames());
      frames.resize(result.frames);
      CHECK(given - result.in + result.out == result.frames);
      CHECK_FALSE(coalesce_frames().contains(line("out", name, frames.size())));
      for (size_t i = 0; i < frames.size(); ++i) {
        const std::string out = line("out", name, i);
        REQUIRE(coalesce_frames().contains(out));
        CHECK(to_hex(to_bytes(frames[i])) == to_hex(coalesce_frames()[out]));
        check_intent(frames[i], out);
        for (const rte_mbuf* m = frames[i]; m != nullptr; m = m->next) CHECK((m->data_len != 0 || m == frames[i]));
      }
      rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(frames.size()));
    }
  }
}

TEST_CASE("coalesce: cutting again gives what came, byte for byte") {
  MbufPool pool(4095);
  for (const std::string& name : case_names()) {
    if (name.find("equal") != std::string::npos || name.find("ids.zero") == 0)
      continue;  // RFC 6864: with DF, ids may differ
    if (name.find("partial") == 0 || name.find("super") == 0) continue;
    CAPTURE(name);
    std::vector<rte_mbuf*> frames = case_frames(pool, name, {});
    const auto given = static_cast<uint16_t>(frames.size());
    frames.resize(coalesce(frames.data(), given, takes_big_frames()).frames);
    for (size_t i = 0; i < frames.size(); ++i) {
      const std::string out = line("out", name, i);
      const size_t count = number_or_0(out, "count");
      if (count == 0) {
        rte_pktmbuf_free(frames[i]);
        continue;
      }
      // Of interleaved flows the test knows the number only.
      const std::vector<Bytes> segments = cut(frames[i], pool);
      REQUIRE(segments.size() == count);
      CHECK(to_hex(segments[0]) == to_hex(coalesce_frames()[line("in", name, number_or_0(out, "first"))]));
      if (name.find("order.") == 0) continue;
      for (size_t k = 0; k < count; ++k) {
        CHECK(to_hex(segments[k]) == to_hex(coalesce_frames()[line("in", name, number_or_0(out, "first") + k)]));
      }
    }
  }
}

TEST_CASE("coalesce: payload stays where it is") {
  MbufPool pool(63);
  std::vector<rte_mbuf*> frames = case_frames(pool, "two.4", {});
  const auto* const payload = rte_pktmbuf_mtod_offset(frames[1], const uint8_t*, 54);
  REQUIRE(coalesce(frames.data(), 2, takes_big_frames()).frames == 1);
  REQUIRE(frames[0]->nb_segs == 2);
  CHECK(rte_pktmbuf_mtod(frames[0]->next, const uint8_t*) == payload);
  rte_pktmbuf_free(frames[0]);
}

TEST_CASE("coalesce: a frame has no more mbufs than devices take") {
  MbufPool pool(255);
  std::vector<rte_mbuf*> frames;
  for (const Bytes& bytes : coalesce_frames().sequence("stream.v4")) frames.push_back(to_mbuf(pool, bytes, {100}));
  frames.resize(coalesce(frames.data(), 40, takes_big_frames()).frames);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0]->nb_segs == 64);
  CHECK(frames[1]->nb_segs == 16);
  rte_pktmbuf_free_bulk(frames.data(), 2);
}

TEST_CASE("coalesce: only what the port can cut") {
  MbufPool pool(255);
  for (const bool v4 : {true, false}) {
    TxCapabilities caps;
    caps.add(Outer::none, TxCapabilities::kChecksum | (v4 ? TxCapabilities::kTcp4 : TxCapabilities::kTcp6));
    caps.multi_segment = true;
    for (const std::string name : {"two.4", "two.6"}) {
      CAPTURE(v4, name);
      std::vector<rte_mbuf*> frames = case_frames(pool, name, {});
      frames.resize(coalesce(frames.data(), 2, caps).frames);
      CHECK(frames.size() == (v4 == (name == "two.4") ? 1 : 2));
      rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(frames.size()));
    }
  }
}

TEST_CASE("coalesce: a frame that others hold too stays as it is") {
  MbufPool pool(255);
  for (const size_t shared : {0, 1}) {
    for (const bool cloned : {true, false}) {
      CAPTURE(shared, cloned);
      std::vector<rte_mbuf*> frames = case_frames(pool, "two.6", {});
      rte_mbuf* const original = frames[shared];
      if (cloned) {
        frames[shared] = rte_pktmbuf_clone(original, pool);
      } else {
        rte_pktmbuf_refcnt_update(original, 1);
      }
      frames.resize(coalesce(frames.data(), 2, takes_big_frames()).frames);
      // Headers that are only pointed at can't be written, but be left out.
      CHECK(frames.size() == (cloned && shared == 1 ? 1 : 2));
      CHECK(to_bytes(original) == coalesce_frames()[line("in", "two.6", shared)]);
      rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(frames.size()));
      rte_pktmbuf_free(original);
    }
  }
}
