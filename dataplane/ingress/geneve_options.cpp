#include "dataplane/ingress/geneve_options.h"

#include <algorithm>

#include "dataplane/wire/geneve.h"
#include "dataplane/wire/header_at.h"

namespace causeway {

std::span<const KnownOption> known_options(const Tables& tables, AdjacencyIndex tunnel) noexcept {
  const KnownOptions& all = *tables.known_options.load(std::memory_order_acquire);
  const auto found = all.find(tunnel);
  return found != all.end() ? std::span<const KnownOption>(found->second) : std::span<const KnownOption>();
}

DropReason check_geneve_options(WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer,
                                const Adjacency& in) noexcept {
  const std::span<const KnownOption> known = known_options(w.tables, in.index);
  uint64_t matched = 0;
  for (uint32_t offset = outer.options_offset; offset != 0 && offset < outer.inner_offset;) {
    const auto* option = header_at<GeneveOption>(m, offset);
    const uint8_t bytes = option->data_bytes();
    const auto is_it = [&](const KnownOption& k) {
      return k.option_class == option->option_class.get() && k.type == option->type;
    };
    const auto own = std::ranges::find_if(known, is_it);
    if (own == known.end()) {
      if (outer.critical && option->is_critical()) return DropReason::geneve_critical;
      w.counters.unknown_options.add(option->option_class.get());
    }
    const auto* data = rte_pktmbuf_mtod_offset(m, const uint8_t*, offset + sizeof(GeneveOption));
    for (size_t i = 0; i < known.size(); ++i) {
      if (is_it(known[i]) && std::ranges::equal(known[i].data, std::span(data, bytes))) matched |= 1ULL << i;
    }
    offset += static_cast<uint32_t>(sizeof(GeneveOption)) + bytes;
  }
  const uint64_t wanted = (1ULL << known.size()) - 1;  // at most 14 have room in a header of ours
  return (in.receive_rules & kMatchOptions) != 0 && matched != wanted ? DropReason::geneve_mismatch : DropReason::none;
}

}  // namespace causeway
