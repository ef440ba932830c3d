// What ovs-appctl may ask, in the names, arguments and texts of ovs-vswitchd 3.1 (ovs-appctl(8), ovs-vswitchd(8)): a
// table of commands for each subject. They read the running state, and change it by the verbs of the control socket.
// Where OVS shows what only OpenFlow has, the line isn't there. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/gateway/gateway.h"
#include "control/unixctl/answer.h"
#include "control/unixctl/drop_rates.h"

namespace causeway::unixctl {

using PortNumbers = std::map<std::string, int64_t>;  // by interface

// What commands are answered from. All of it outlives their answers.
struct Context {
  const Gateway& gateway;
  std::string version;  // Causeway's
  // OpenFlow's numbers of a bridge's interfaces, where the database has any; never of the bridge's own.
  std::function<PortNumbers(const std::string& bridge)> port_numbers;
  // Asks what the control socket may be asked (control/api/verbs.h), of what is answered at once.
  std::function<nlohmann::json(nlohmann::json request)> ask;
  std::function<void()> stop;  // the daemon
  DropRates drop_rates{};
};

using Arguments = std::vector<std::string>;
inline constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

struct Command {
  std::string_view name;
  std::string_view usage;  // its arguments, for people
  size_t least_arguments;
  size_t most_arguments;
  Answer (*answer)(const Context& context, const Arguments& arguments);  // with so many arguments
};

std::span<const Command> datapath_commands();
std::span<const Command> fdb_commands();
std::span<const Command> process_commands();
std::span<const Command> underlay_commands();
std::span<const Command> worker_commands();

// The answer to `command`, or what ovs-vswitchd says where there is none of that name, or it has other arguments.
// `arguments`: an array.
Answer answer(const Context& context, const std::string& command, const nlohmann::json& arguments);

}  // namespace causeway::unixctl
