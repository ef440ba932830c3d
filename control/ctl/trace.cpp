#include "control/ctl/trace.h"

#include <fmt/format.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "control/ctl/first_segment.h"
#include "control/ctl/pcapng_reader.h"
#include "control/ctl/trace_frame.h"
#include "control/process/printable.h"
#include "pmd/file_descriptor.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr size_t kPiece = 65536;            // of the capture's bytes
constexpr size_t kMostTracedBytes = 65535;  // of a frame

using AskTrace = std::function<std::optional<json>(const json& request)>;

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

// The port's. Where it is gone, no frame is too large, and what is asked next says so.
size_t mtu_of(const std::string& port, const AskTrace& ask) {
  const auto rows = ask({{"verb", "show"}, {"what", "ports"}, {"name", port}});
  const json mtu = rows && !rows->empty() ? rows->at(0).at("mtu") : json();
  return mtu.is_number() ? mtu.get<size_t>() : kMostTracedBytes;
}

// The result of a trace of nothing.
json not_traced(const std::string& port, size_t bytes) {
  return {{"port", port}, {"bytes", bytes},       {"stages", json::array()}, {"flow", nullptr},
          {"sent", 0},    {"out", json::array()}, {"drops", json::array()},  {"to_control", false}};
}

// The capture has no Intents: what is to be cut would die of its size.
std::optional<json> trace_captured(const std::string& port, size_t mtu, const FrameBytes& frame, const AskTrace& ask) {
  const bool whole = frame.size() <= kMostTracedBytes && !is_super_packet(frame, mtu);
  const FrameBytes segment = whole ? frame : first_segment(frame);
  std::optional<json> result = segment.empty()
                                   ? not_traced(port, frame.size())
                                   : ask({{"verb", "trace"}, {"port", port}, {"text", hex_digits(segment)}});
  if (!result || whole) return result;
  std::string text = fmt::format("super-packet of {} bytes: ", frame.size());
  text += segment.empty()
              ? "not traced, as it isn't plain TCP"
              : fmt::format("traced as its first segment, shortened to {} bytes, as the size isn't captured",
                            segment.size());
  json& stages = result->at("stages");
  stages.insert(stages.begin(), json{{"stage", "live"}, {"text", text}});
  return result;
}

}  // namespace

Error trace_request(const TraceOptions& options, json& request) {
  if (options.hex.empty() && options.pcap.empty() && options.flow.empty()) {
    return "a frame is wanted: --hex, --pcap, --flow or --live";
  }
  if (options.port.empty()) return "a port is wanted, that it comes in by: -p";
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

json live_request(const TraceOptions& options) {
  return {{"verb", "capture"}, {"ports", options.live}, {"direction", "in"}, {"count", options.count}, {"text", ""}};
}

Error trace_live(ApiClient& client, const TraceOptions& options,
                 const std::function<std::optional<json>(const json& request)>& ask,
                 const std::function<void(const json& result)>& traced) {
  std::string received;
  const FileDescriptor connection = client.release(received);
  const size_t mtu = mtu_of(options.live, ask);
  std::vector<FrameBytes> frames;
  PcapngReader reader(
      [&frames](const PcapngReader::Frame& frame) { frames.emplace_back(frame.bytes.begin(), frame.bytes.end()); });
  while (true) {
    reader.read(received);
    for (const FrameBytes& frame : std::exchange(frames, {})) {
      const auto result = trace_captured(options.live, mtu, frame, ask);
      if (!result) return {};
      traced(*result);
    }
    received.resize(kPiece);
    const ssize_t count = recv(connection.get(), received.data(), received.size(), 0);
    received.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return reader.complete() ? "" : "causewayd closed the connection before the last frame";
  }
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
