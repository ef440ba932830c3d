// What a frame must look like for a classic BPF program to take it, as a few words under masks: most frames that a
// filter doesn't want are known by these, at a tenth of what the program costs.
#pragma once

#include <pcap/pcap.h>

#include <span>
#include <vector>

#include "dataplane/inspect/capture.h"

namespace causeway {

// Each frame that `program` takes, and that reaches to the end of all words, passes at least one. Empty: nothing can be
// said that is worth asking. `program`: as bpf_validate takes it.
std::vector<WordTest> necessary_words(std::span<const bpf_insn> program);

}  // namespace causeway
