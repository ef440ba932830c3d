// What a table of `show` is made of: records, and columns that read them. All that is told of the running state but
// `stats` (JSON, the terminal's tables) comes from here, so a column is described in one place: its table's file.
//
// A record is a plain struct with the totals added up already. It may refer to the gateway's own objects: it is good
// until the function that is given it returns. All of this is the control thread's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/api/reply.h"
#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"

namespace causeway {

// A counter grows, or has been reset (control/view/traffic.h). A gauge is a level. Everything else is text.
enum class ColumnKind : uint8_t { text, gauge, counter };
std::string_view to_string(ColumnKind kind);

struct ColumnText {
  std::string_view name;   // the field of a JSON row; "flow_cache.hits" is the field `hits` of its object `flow_cache`
  std::string_view title;  // the heading in the terminal's table; empty: the column is in JSON only
  ColumnKind kind = ColumnKind::text;
  std::string_view unit;  // "packets", "bytes", "seconds", ...; empty: none. A counter has one
  std::string_view help;  // one sentence
};

template <typename Record>
struct Column {
  ColumnText text;
  nlohmann::json (*value)(const Record& record);  // null: there is none for this record
};

// Changes of the configuration that somebody has asked for since the start; refused: nothing has changed.
struct ChangeCounts {
  struct Outcomes {
    uint64_t done = 0;
    uint64_t refused = 0;
  };
  Outcomes applies;
  Outcomes reloads;
};

// Who tells all this.
struct Program {
  std::string_view name;     // system.name
  std::string_view version;  // of Causeway
  std::chrono::seconds uptime{};
};

// What the tables are made of. The gateway outlives the streams made of it, and so do the program's texts.
struct Running {
  // NOLINTNEXTLINE(google-explicit-constructor): the gateway is all that most tables read
  Running(const Gateway& running, EventLoop::Slices taken = {}, ChangeCounts counted = {}, Program who = {})
      : gateway(running), slices(taken), changes(counted), program(who) {}

  const Gateway& gateway;
  EventLoop::Slices slices;  // of the control thread's loop, at the time of the request
  ChangeCounts changes;
  Program program;
};

// The records of a table, some at a call, like the rows that become of them (RowStream).
template <typename Record>
using RecordStream = std::function<bool(const std::function<void(const Record& record)>& add)>;

// The same as values of columns that somebody has asked for, in his order. They may be moved from.
using CellStream = std::function<bool(const std::function<void(std::span<nlohmann::json> cells)>& add)>;

struct Table {
  std::vector<ColumnText> columns;  // those with a title are in the order of the terminal's table
  // `wanted`: places in `columns`. Of the others nothing is worked out.
  std::function<CellStream(const Running& running, std::vector<size_t> wanted)> cells;
  // What becomes of all the rows where the result isn't the list of them; null: it is, and is sent row by row.
  nlohmann::json (*result)(const Running& running, nlohmann::json rows) = nullptr;

  // Objects with a field for each column.
  RowStream rows(const Running& running) const;
};

// Sets a field of a row by its column's name.
void set_field(nlohmann::json& row, std::string_view name, nlohmann::json value);

// `columns` live as long as the program.
template <typename Record, size_t count>
Table table_of(const Column<Record> (&columns)[count], RecordStream<Record> (*records)(const Running& running)) {
  Table table;
  for (const Column<Record>& column : columns) table.columns.push_back(column.text);
  table.cells = [columns = std::span(columns), records](const Running& running,
                                                        std::vector<size_t> wanted) -> CellStream {
    return [columns, wanted = std::move(wanted), next = records(running),
            cells = std::vector<nlohmann::json>()](const auto& add) mutable {
      return next([&](const Record& record) {
        cells.clear();
        for (const size_t column : wanted) cells.push_back(columns[column].value(record));
        add(cells);
      });
    };
  };
  return table;
}

// What `tell(key, value, add)` adds for each item of a map that outlives the stream. The map may change between calls:
// the next item is the one with the next larger key.
template <typename Record, typename Map, typename Tell>
RecordStream<Record> records_of(const Map& map, Tell tell) {
  using Key = typename Map::key_type;
  return [&map, tell, last = std::optional<Key>()](const auto& add) mutable {
    const auto item = last ? map.upper_bound(*last) : map.begin();
    if (item == map.end()) return false;
    tell(item->first, item->second, add);
    last = item->first;
    return true;
  };
}

}  // namespace causeway
