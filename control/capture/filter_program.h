// From a filter's text to what workers run over frames. The text is a classic BPF program, which whoever asks has had
// compiled by libpcap: names of hosts and mistakes in an expression are his to wait for, not the daemon's.
#pragma once

#include <string_view>

#include "dataplane/inspect/capture.h"
#include "pmd/error.h"

namespace causeway {

// `text`: what `tcpdump -ddd` prints: how many instructions there are, then a line each of "code jt jf k". Empty: all
// frames pass. Fails where it isn't such a program, or one that might not end or would read beside a frame. Any thread;
// takes milliseconds for long programs.
Error read_filter_program(std::string_view text, FrameFilter& filter);

}  // namespace causeway
