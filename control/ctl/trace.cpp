#include "control/ctl/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "control/ctl/trace_frame.h"
#include "control/process/printable.h"

namespace causeway {
namespace {

using nlohmann::json;

// 16 bytes a line, with how many are in front, as text2pcap(1) reads it.
std::string hexdump(std::string_view hex) {
  constexpr size_t kLine = 32;
  std::string text;
  for (size_t at = 0; at < hex.size(); at += kLine) {
    text += fmt::format("{:06x}", at / 2);
    const size_t end = std::min(at + kLine, hex.size());
    for (size_t i = at; i < end; i += 2) text += fmt::format(" {}", hex.substr(i, 2));
    text += '\n';
  }
  return text;
}

}  // namespace

Error trace_request(const TraceOptions& options, json& request) {
  if (options.hex.empty() && options.pcap.empty() && options.flow.empty()) {
    return "a frame is wanted: --hex, --pcap or --flow";
  }
  FrameBytes frame;
  Error error;
  std::string_view option = "--hex";
  if (!options.pcap.empty()) {
    option = "--pcap";
    error = frame_of_pcap(options.pcap, options.number, frame);
  } else if (!options.flow.empty()) {
    option = "--flow";
    error = frame_of_flow(options.flow, frame);
  } else {
    error = frame_of_hex(options.hex, frame);
  }
  if (error) return fmt::format("{}: {}", option, error.text());
  request = {{"verb", "trace"}, {"port", options.port}, {"text", hex_digits(frame)}};
  return {};
}

std::string render_trace(const json& result, bool bytes) {
  std::string text;
  for (const json& stage : result.at("stages")) {
    text += fmt::format("{:8}{}\n", stage.at("stage").get<std::string>(), stage.at("text").get<std::string>());
  }
  if (!bytes) return text;
  for (const json& frame : result.at("out")) {
    text += fmt::format("\nout of {}:\n{}", frame.at("port").get<std::string>(),
                        hexdump(frame.at("bytes").get_ref<const std::string&>()));
  }
  return text;
}

}  // namespace causeway
