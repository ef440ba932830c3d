// A modelled NIC with memory for a cable, and frames for it as tx hands them over.
#pragma once

#include <algorithm>

#include "pmd/nic_model/nic_model.h"
#include "tests/pipeline/bed/memory_port.h"
#include "tests/unit/wire/segment_support.h"

namespace causeway::test {

// `features` by name.
inline NicFeatures features(const std::vector<std::string>& names) {
  NicFeatures result;
  for (size_t i = 0; i < kNicFeatureNames.size(); ++i) {
    if (std::ranges::find(names, kNicFeatureNames[i]) != names.end()) result.add(static_cast<NicFeature>(i));
  }
  return result;
}

// What becomes of super-packet `name` in front of a port: whole if it takes that (`whole` says so), else its segments.
inline std::vector<rte_mbuf*> as_tx_does(rte_mempool* pool, const std::string& name, const TxCapabilities& caps,
                                         bool& whole) {
  rte_mbuf* frame = unfinished(pool, name, {700, 1400});
  whole = port_takes(frame, caps);
  if (whole) return {frame};
  Segmenter segmenter;
  std::vector<rte_mbuf*> segments(1024);
  DropReason reason = segmenter.begin(frame, caps, {pool, pool});
  segments.resize(segmenter.next(segments.data(), static_cast<uint16_t>(segments.size()), reason));
  CHECK(reason == DropReason::none);
  CHECK_FALSE(segmenter.pending());
  return segments;
}

struct Nic {
  explicit Nic(const NicModelSettings& settings = {}, const OffloadSettings& offloads = {}, uint16_t rx_queues = 1) {
    PortOptions options;
    options.name = "nic0";
    options.pool = pool;
    options.underlay = true;
    options.offloads = offloads;
    options.rx_queues = rx_queues;
    auto memory =
        std::make_unique<MemoryPort>(cable_options(options), TxCapabilities{}, MacAddress{{2, 0, 0, 0, 0, 1}});
    cable = memory.get();
    port = make_nic_model(std::move(memory), options, settings, error);
  }

  std::vector<Bytes> send(rte_mbuf* frame) {
    REQUIRE(port->tx_burst(0, &frame, 1) == 1);
    std::vector<Bytes> out;
    for (const Sent& sent : cable->take_sent()) {
      CHECK(sent.intent_flags == 0);
      out.push_back(sent.bytes);
    }
    return out;
  }
  std::vector<Bytes> send_as_tx_does(const std::string& name, bool& whole) {
    std::vector<Bytes> out;
    for (rte_mbuf* frame : as_tx_does(pool, name, port->capabilities(), whole)) {
      for (Bytes& bytes : send(frame)) out.push_back(std::move(bytes));
    }
    return out;
  }

  MbufPool pool{8191};
  MemoryPort* cable = nullptr;
  std::unique_ptr<Port> port;
  std::string error;
};

}  // namespace causeway::test
