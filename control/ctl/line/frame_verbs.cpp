#include "control/ctl/line/frame_verbs.h"

namespace causeway {

CLI::App& add_capture_verb(CLI::App& app, CaptureOptions& wanted) {
  auto* verb =
      app.add_subcommand("capture", "frames as they pass, or as they die; without a choice those of all ports");
  verb->add_option("-p,--port", wanted.ports, "at this port; may be said again, as may -t and -b")
      ->type_name("PORT")
      ->allow_extra_args(false);
  verb->add_option("-t,--tunnel", wanted.tunnels, "of this tunnel, without its headers unless --outer is said")
      ->type_name("TUNNEL")
      ->allow_extra_args(false);
  verb->add_option("-b,--bridge", wanted.bridges, "at the ports and tunnels of this bridge")
      ->type_name("BRIDGE")
      ->allow_extra_args(false);
  auto* drops =
      verb->add_option("--drops", wanted.reason, "frames that die, no others; of this reason, default: of any");
  drops->expected(0, 1)->type_name("[REASON]");
  auto* in = verb->add_flag("--in", wanted.in, "frames that come in, no others");
  verb->add_flag("--out", wanted.out, "frames that go out, no others")->excludes(in);
  auto* inner = verb->add_flag("--inner", wanted.inner, "tunnels' frames without the outer headers");
  verb->add_flag("--outer", wanted.outer, "tunnels' frames with the outer headers")->excludes(inner);
  verb->add_option("-f,--filter", wanted.filter, "pcap-filter(7), over the frame as it is there");
  verb->add_option("-c,--count", wanted.count, "so many frames, then end")->check(CLI::PositiveNumber);
  verb->add_option("-s,--snaplen", wanted.snap_bytes, "bytes of each frame; default: all")
      ->check(CLI::Range(1U, 262144U));
  verb->add_option("-w,--write", wanted.file, "a pcapng file, - for stdout; default: a line for each frame");
  verb->parse_complete_callback([&wanted, drops] { wanted.dead = drops->count() != 0; });
  return *verb;
}

CLI::App& add_trace_verb(CLI::App& app, TraceOptions& wanted) {
  auto* verb = app.add_subcommand("trace", "what would become of a frame, stage by stage; nothing is sent or counted");
  auto* port = verb->add_option("-p,--port", wanted.port, "that it comes in by")->type_name("PORT");
  auto* hex = verb->add_option("--hex", wanted.hex, "its bytes");
  auto* pcap = verb->add_option("--pcap", wanted.pcap, "a pcap or pcapng file that has it")->excludes(hex);
  verb->add_option("--flow", wanted.flow,
                   "what is in it: src=MAC,dst=MAC,vlan=ID,ip-src=ADDRESS,ip-dst=ADDRESS,proto=udp|tcp|icmp,sport=PORT,"
                   "dport=PORT,ttl=N,tos=N,bytes=N, or arp=ADDRESS; with outer headers only as --hex or --pcap")
      ->excludes(hex)
      ->excludes(pcap);
  verb->add_option("-n,--number", wanted.number, "of the frame in the file; default: 1")
      ->needs(pcap)
      ->check(CLI::PositiveNumber);
  auto* live =
      verb->add_option("--live", wanted.live, "a port: the next frame that really comes in there, or -c of them")
          ->type_name("PORT");
  for (CLI::Option* const other : {port, hex, pcap, verb->get_option("--flow")}) live->excludes(other);
  verb->add_option("-c,--count", wanted.count, "of frames")->needs(live)->check(CLI::PositiveNumber);
  verb->add_flag("--bytes", wanted.bytes, "what leaves, in hex");
  return *verb;
}

}  // namespace causeway
