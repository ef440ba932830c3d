// `show`: finds a subject's table, and answers with its rows as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "control/api/reply.h"
#include "control/view/rows.h"

namespace causeway {

// The table of one of kShowSubjects (control/api/subjects.h); nullopt: there is none of this name.
std::optional<Table> find_table(std::string_view what);

// The columns as the socket carries them: [{name, title, kind, unit}], without what is empty. Those with a title are
// what the terminal shows.
nlohmann::json columns_json(const Table& table);

// When a reply begins, by a clock that only goes on: rates are differences over differences of this. Goes as "time_s"
// beside the results of `show` and `stats`.
double reply_time_s();

// The whole result at once; null: there is no such table.
nlohmann::json show(const Running& running, std::string_view what);

// The same for the control socket, with the columns beside the result. Tables that are lists come in rows: each is of
// the moment it is made at, and what is there from the first to the last is among them once. With `name` the rows of
// this name alone; only ports, bridges and tunnels have one.
ApiReply show_reply(const Running& running, std::string_view what, const std::string& name = {});

// The same of largest_flows_table().
ApiReply largest_flows_reply(const Running& running);

}  // namespace causeway
