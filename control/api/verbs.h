// The verbs of the control socket: what a request may ask, as causewayctl does it. Each has a handler in
// control/daemon.cpp, which doesn't compile without.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace causeway {

struct Verb {
  static constexpr size_t kMostArguments = 9;

  // A file or a program comes with it, as "text": the one thing in a request that may be long.
  constexpr bool takes_file() const { return std::ranges::find(arguments, "text") != std::end(arguments); }

  std::string_view name;
  std::string_view arguments[kMostArguments];  // fields of the request that it looks at, besides "verb"
  // It changes something, or shows what users send: for root, the daemon's own user and system.admins. The others are
  // for whoever can open the socket.
  bool restricted = false;
  std::string_view restricted_with{};  // not by itself, only with this field
};

inline constexpr size_t kMostFlows = 1000;  // in a reply to `show`

inline constexpr Verb kVerbs[] = {
    // what: one of kShowSubjects (control/api/subjects.h) -> a list of objects; of flows {cached: number, flows: a list
    // of kMostFlows at most}; of control one object. Beside the result there is "columns": [{name, kind: text, gauge or
    // counter; title, where the terminal's table has it; unit, where it has one}], and "time_s": when it was asked,
    // by a clock that only goes on (stats has it, too).
    // name: of a port, a bridge or a tunnel: its row alone. largest: bool, with any subject: the flows that most
    // packets were sampled of since somebody began to ask so -> a list of kMostFlows at most. A flow that sends nothing
    // for ten seconds is forgotten, and all are when nobody asks for as long.
    {"show", {"what", "name", "largest"}},
    // -> {lines: [...]}: YAML that `apply` takes, and that changes nothing.
    {"config", {}},
    // per_worker: bool -> {drops: {reason: count}, examples: {reason: {time, port, tunnel, ...}} (the last frame that
    // died of each, control/view/drop_examples.h)}, per worker also workers: [{id, drops}, ...].
    {"stats", {"per_worker"}},
    // file: a label, text: the file's contents -> {operations: ["one line", ...], warnings: [...]}.
    {"plan", {"file", "text"}},
    // The same, and empty: bool, true: may leave nothing of what runs. confirm: seconds, then it goes back by itself
    // unless `confirm` comes. expect: the generation that it is based on, of any other it is refused -> the same, all
    // operations done, and generation: number, of what runs now; unconfirmed: {change, left_s, until} or null; kept:
    // bool, whether that outlives the daemon; saved: bool, whether a start would come to what runs, null where there is
    // no file; notes: lines for people.
    {"apply", {"file", "text", "empty", "confirm", "expect"}, true},
    // text: lines of PATH=VALUE (control/change/yaml_edit.h) -> as apply.
    {"set", {"text", "empty", "confirm", "expect"}, true},
    // -> as apply.
    {"reload", {"empty"}, true},
    // The program anew, in this one's place -> {}, and behind this line another reply: once that one runs -> {pid}, or
    // why not.
    {"upgrade", {}, true},
    // To what ran before the last change, and of one that awaits its confirmation at once -> as apply.
    {"rollback", {"expect"}, true},
    // -> as apply, with no operations; so are the next.
    {"confirm", {}, true},
    // What runs becomes the file that a start begins with.
    {"save", {}, true},
    // -> {generation, unconfirmed, kept, saved as of apply; file: that a start begins with; changes: [{time,
    // generation,
    // uid or null, user, verb, label, operations: number, plan: its first lines, result: done or refused, note}, ...]}.
    {"changes", {}},
    // action: flush, add or del; the others are absent where not given -> anything.
    {"fdb", {"action", "bridge", "mac", "port", "vlan"}, true},
    // ports, tunnels, bridges: names with a space between; where none is given, all ports. direction: in or out; both
    // where it is absent. headers: inner or outer, of tunnels' frames. drops: a reason or "any": frames that die, no
    // others. count: frames, then it ends; absent: never. snaplen: bytes of each. text: the filter, a classic BPF
    // program as `tcpdump -ddd` prints it; empty: none -> {ports: number}, and behind this line the bytes of a pcapng
    // file until the client shuts its side down; then what is left of the file.
    {"capture", {"ports", "tunnels", "bridges", "direction", "headers", "drops", "count", "snaplen", "text"}, true},
    // -> {}, and behind this line one for each state change (control/api/followers.h), until the client goes.
    {"events", {}},
    // Tests the offloads of a port -> a list of {offload, state, reason}.
    {"offloads", {"port"}, true},
    // level: one of kLogLevels (control/process/log.h), from now on; absent: as it is -> {level: as it is now}.
    {"log", {"level"}, true, "level"},
    // -> {findings: [{severity: wrong, soon or hint; name, object, what, seen, cure}, ...] (the worst 200,
    // worst first), all: number}.
    {"doctor", {}},
    // What would become of a frame that a port receives; nothing does. text: its bytes in hex -> {port, bytes: number,
    // stages: [{stage, text}, ...], flow: {from, vlan, source, destination, to} or null, sent: number, out: the first
    // 256
    // of these, [{port, bytes: hex}, ...], drops: [{reason, meaning, cure}, ...], to_control: bool}.
    {"trace", {"port", "text"}},
};

}  // namespace causeway
