#include "control/ctl/top/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "control/ctl/top/head.h"
#include "control/ctl/top/numbers.h"

namespace causeway::top {
namespace {

using enum Column::Fit;

constexpr size_t kNumberWidth = 5;
constexpr Column kTopology[] = {
    {"NAME", false, 14, 0, shrinks},    {"KIND", false, 0, 9, nicety},      {"IN p/s", true, kNumberWidth, 3},
    {"IN b/s", true, kNumberWidth, 1},  {"OUT p/s", true, kNumberWidth, 4}, {"OUT b/s", true, kNumberWidth, 2},
    {"DROPS/s", true, kNumberWidth, 5}, {"STATE", false, 10, 0, shrinks},
};
constexpr Column kWorkers[] = {
    {"ID", true, 2},
    {"CORE", true, 4, 7},
    {"BUSY %", true, kNumberWidth},
    {"CYCLES/p", true, kNumberWidth, 1},
    {"IN p/s", true, kNumberWidth, 2},
    {"FLOWS", true, kNumberWidth, 6},
    {"HITS %", true, kNumberWidth, 5},
    {"QUEUES", false, 8, 4, shrinks},
};
constexpr Column kDrops[] = {
    {"DROPS/s", true, kNumberWidth},
    {"DROPS", true, kNumberWidth},
    {"REASON", false, 10, 0, shrinks},
    {"MEANING", false, 10, 1, shrinks},
};
constexpr std::string_view kOrders[] = {"name", "in", "out", "drops", "wrong"};

bool any_wrong(const Item& item) { return item.wrong || std::ranges::any_of(item.below, any_wrong); }

// What is most comes first.
double weight(const Item& item, size_t order) {
  const Rate rates[] = {0, item.rates.in_bits, item.rates.out_bits, item.rates.drops, any_wrong(item) ? 1 : 0};
  return rates[order].value_or(-1);
}

bool contains(std::string_view text, std::string_view word) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto same = [lower](char a, char b) { return lower(a) == lower(b); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end() || word.empty();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string_view word_for(Item::Kind kind) {
  return kind == Item::Kind::bridge ? "bridge" : kind == Item::Kind::port ? "port" : "tunnel";
}

}  // namespace

bool View::matches(const Item& item) const {
  return std::ranges::any_of(std::vector<std::string_view>{item.name, item.what, item.state, item.detail},
                             [this](std::string_view text) { return contains(text, filter_); });
}

// `all`: something above matches the filter.
void View::add_rows(std::vector<Row>& rows, std::vector<Item> items, size_t depth, bool all) const {
  if (order_ != Order::name) {
    std::ranges::stable_sort(items, std::greater(),
                             [this](const Item& item) { return weight(item, static_cast<size_t>(order_)); });
  }
  for (Item& item : items) {
    const bool shown = all || matches(item);
    std::vector<Row> below;
    add_rows(below, std::move(item.below), depth + 1, shown);
    if (!shown && below.empty()) continue;
    const Rates& rates = item.rates;
    const bool vtep = item.kind == Item::Kind::vtep;
    const bool counts_drops = item.kind == Item::Kind::bridge || item.kind == Item::Kind::port;
    Row row{fmt::format("{} {} {}", static_cast<int>(item.kind), item.owner, item.name), {}, item.kind, item.name};
    if (vtep) {
      row.kind = Item::Kind::tunnel;
      row.name = item.owner;
    }
    row.cells = {
        {std::string(2 * depth, ' ') + item.name, depth == 0 ? Style::bold : Style::plain},
        {item.what, Style::dim},
        {short_number(rates.in_packets)},
        {short_number(rates.in_bits)},
        {short_number(rates.out_packets)},
        {short_number(rates.out_bits)},
        {counts_drops ? short_number(rates.drops) : "", rates.drops.value_or(0) > 0 ? Style::bold : Style::plain},
        {item.state, item.wrong ? Style::wrong : Style::plain, item.detail}};
    rows.push_back(std::move(row));
    std::ranges::move(below, std::back_inserter(rows));
  }
}

std::vector<View::Row> View::topology_rows(const Model& model) const {
  std::vector<Row> rows;
  add_rows(rows, model.items(), 0, false);
  return rows;
}

std::vector<View::Row> View::worker_rows(const Model& model) const {
  std::vector<Row> rows;
  for (const WorkerLoad& load : model.workers()) {
    if (!contains(load.queues, filter_) && !contains(load.id, filter_)) continue;
    rows.push_back({load.id,
                    {{load.id},
                     {load.core},
                     {load.busy_percent},
                     {short_number(load.cycles_a_packet)},
                     {short_number(load.packets)},
                     {short_number(static_cast<double>(load.flows))},
                     {load.hit_percent},
                     {load.queues}}});
  }
  return rows;
}

std::vector<View::Row> View::drop_rows(const Model& model) const {
  std::vector<Row> rows;
  for (const Drops& drops : model.drops()) {
    if (!contains(drops.reason, filter_) && !contains(drops.meaning, filter_)) continue;
    const Style style = drops.alarming() ? Style::wrong : Style::plain;
    rows.push_back({drops.reason,
                    {{short_number(drops.rate), style},
                     {std::to_string(drops.total)},
                     {drops.reason, style},
                     {drops.meaning, Style::dim}}});
  }
  return rows;
}

void View::draw_table(const Model& model, Size size, std::vector<Line>& lines) {
  std::span<const Column> columns = kTopology;
  if (page_ == Page::topology) {
    rows_ = topology_rows(model);
  } else if (page_ == Page::workers) {
    columns = kWorkers;
    rows_ = worker_rows(model);
  } else {
    columns = kDrops;
    rows_ = drop_rows(model);
  }
  height_ = size.rows > lines.size() + 2 ? size.rows - lines.size() - 2 : 1;
  // What was chosen stays so wherever it has gone.
  const auto same = std::ranges::find(rows_, selected_id_, &Row::id);
  move_to(same != rows_.end() ? static_cast<size_t>(same - rows_.begin()) : selected_);

  std::vector<std::vector<Cell>> cells;
  for (Row& row : rows_) cells.push_back(std::move(row.cells));
  const std::vector<size_t> widths = fit(columns, cells, size.columns);
  lines.push_back(heading_line(columns, widths, size.columns));
  for (size_t i = first_; i < std::min(first_ + height_, rows_.size()); ++i) {
    lines.push_back(row_line(columns, widths, cells[i]));
    lines.back().selected = i == selected_;
  }
  if (rows_.empty()) {
    lines.push_back({{{filter_.empty() ? page_ == Page::drops ? "nothing has been dropped" : "there is nothing"
                                       : "nothing matches the filter",
                       Style::dim}}});
  }
}

void View::draw_object(const Model& model, Size size, std::vector<Line>& lines) {
  std::string title = fmt::format("{} {}", word_for(open_kind_), open_name_);
  title.resize(std::max(size.columns, title.size()), ' ');
  lines.push_back({{{cut(title, size.columns), Style::heading}}});
  height_ = size.rows > lines.size() + 1 ? size.rows - lines.size() - 1 : 1;
  std::vector<std::string> texts = lines_of(model.describe(open_kind_, open_name_));
  if (texts.empty()) texts.emplace_back("it is gone");
  open_lines_ = texts.size();
  open_first_ = std::min(open_first_, open_lines_ - std::min(open_lines_, height_));
  for (size_t i = open_first_; i < std::min(open_first_ + height_, open_lines_); ++i) {
    lines.push_back({{{cut(texts[i], size.columns)}}});
  }
}

Line View::foot(const std::string& trouble, size_t width) const {
  if (typing_) return {{{cut("filter: " + filter_, width - 1), Style::bold}, {"_", Style::bold}}};
  if (!trouble.empty()) return {{{cut(trouble, width), Style::wrong}}};
  if (open_) return {{{cut("Escape back   arrows, PgUp, PgDn scroll   q back", width), Style::dim}}};
  std::string text = fmt::format("q quit   / filter{}", filter_.empty() ? "" : ": " + filter_);
  if (page_ == Page::topology) text += fmt::format("   s sort: {}   Enter open", kOrders[static_cast<size_t>(order_)]);
  constexpr std::string_view kNext[] = {"workers", "drops", "topology"};
  text += fmt::format("   Tab {}", kNext[static_cast<size_t>(page_)]);
  return {{{cut(text, width), Style::dim}}};
}

std::vector<Line> View::draw(const Model& model, Size size, const std::string& trouble) {
  std::vector<Line> lines;
  if (size.rows == 0 || size.columns == 0) return lines;
  if (!model.empty()) {
    lines = head_lines(model, size.columns);
    // A terminal of a few lines has the table.
    if (size.rows < 2 * kHeadLines) lines.resize(1);
    if (open_) lines.resize(1);
    lines.emplace_back();
    open_ ? draw_object(model, size, lines) : draw_table(model, size, lines);
  } else if (trouble.empty()) {
    lines.push_back({{{"looking ...", Style::dim}}});
  }
  lines.resize(size.rows - 1);
  lines.push_back(foot(trouble, size.columns));
  for (Line& line : lines) line.cut_at(size.columns);
  return lines;
}

void View::move_to(size_t place) {
  selected_ = rows_.empty() ? 0 : std::min(place, rows_.size() - 1);
  selected_id_ = rows_.empty() ? "" : rows_[selected_].id;
  if (selected_ < first_) first_ = selected_;
  if (selected_ >= first_ + height_) first_ = selected_ - height_ + 1;
  first_ = std::min(first_, rows_.size() - std::min(rows_.size(), height_));
}

void View::go_back() {
  if (open_) {
    open_ = false;
  } else if (!filter_.empty()) {
    filter_.clear();
  } else {
    page_ = Page::topology;
  }
}

void View::type(const Pressed& pressed) {
  if (pressed.key == Key::character) {
    filter_ += pressed.character;
  } else if (pressed.key == Key::backspace) {
    if (!filter_.empty()) filter_.pop_back();
  } else if (pressed.key != Key::resized) {
    typing_ = false;
    if (pressed.key == Key::escape) filter_.clear();
  }
}

void View::press_character(char character) {
  if (character == 'q') {
    open_ ? go_back() : void(ended_ = true);
  } else if (character == '/' && !open_) {
    typing_ = true;
  } else if (character == 's' && !open_) {
    order_ = static_cast<Order>((static_cast<size_t>(order_) + 1) % std::size(kOrders));
  }
}

void View::press(const Pressed& pressed) {
  if (typing_) return type(pressed);
  if (pressed.key == Key::character) return press_character(pressed.character);
  if (pressed.key == Key::escape) return go_back();
  if (pressed.key == Key::tab && !open_) {
    page_ = static_cast<Page>((static_cast<size_t>(page_) + 1) % 3);
    selected_ = first_ = 0;
    selected_id_.clear();
    rows_.clear();
    return;
  }
  if (pressed.key == Key::enter && !open_ && selected_ < rows_.size() && !rows_[selected_].name.empty()) {
    open_ = true;
    open_kind_ = rows_[selected_].kind;
    open_name_ = rows_[selected_].name;
    open_first_ = 0;
    return;
  }
  const size_t here = open_ ? open_first_ : selected_;
  const size_t last = std::max<size_t>(open_ ? open_lines_ : rows_.size(), 1) - 1;
  size_t there = here;
  if (pressed.key == Key::up) there = here - std::min<size_t>(here, 1);
  if (pressed.key == Key::down) there = here + 1;
  if (pressed.key == Key::page_up) there = here - std::min(here, height_);
  if (pressed.key == Key::page_down) there = here + height_;
  if (pressed.key == Key::home) there = 0;
  if (pressed.key == Key::end) there = last;
  there = std::min(there, last);
  open_ ? void(open_first_ = there) : move_to(there);
}

}  // namespace causeway::top
