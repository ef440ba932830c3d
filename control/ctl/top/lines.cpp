#include "control/ctl/top/lines.h"

#include <algorithm>

namespace causeway::top {
namespace {

constexpr size_t kGap = 2;

size_t wanted_by(const Cell& cell) {
  return cell.text.size() + (cell.style == Style::wrong && !cell.detail.empty() ? 2 + cell.detail.size() : 0);
}

// A column that isn't there has neither.
struct Widths {
  size_t wanted = 0;
  size_t least = 0;
};

size_t sum_of(const std::vector<Widths>& widths, size_t Widths::*which) {
  size_t all = 0;
  for (const Widths& column : widths) {
    if (column.wanted != 0) all += (all == 0 ? 0 : kGap) + column.*which;
  }
  return all;
}

// The one that goes next; none: all that is left stays.
template <class May>
Widths* next_to_go(std::span<const Column> columns, std::vector<Widths>& widths, May may) {
  size_t found = columns.size();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (widths[i].wanted == 0 || columns[i].goes == 0 || !may(columns[i])) continue;
    if (found == columns.size() || columns[i].goes > columns[found].goes) found = i;
  }
  return found == columns.size() ? nullptr : &widths[found];
}

void add_padded(Line& line, const std::string& text, Style style, size_t width, bool to_the_right) {
  const std::string gap(width - std::min(width, text.size()), ' ');
  if (to_the_right && !gap.empty()) line.spans.push_back({gap});
  line.spans.push_back({text, style});
  if (!to_the_right && !gap.empty()) line.spans.push_back({gap});
}

}  // namespace

size_t Line::width() const {
  size_t all = 0;
  for (const Span& span : spans) all += span.text.size();
  return all;
}

std::string Line::text() const {
  std::string all;
  for (const Span& span : spans) all += span.text;
  return all;
}

void Line::cut_at(size_t width) {
  for (Span& span : spans) {
    span.text.resize(std::min(span.text.size(), width));
    width -= span.text.size();
  }
}

std::string cut(std::string text, size_t width) {
  if (text.size() <= width) return text;
  text.resize(width);
  if (width != 0) text.back() = '~';
  return text;
}

std::vector<size_t> fit(std::span<const Column> columns, std::span<const std::vector<Cell>> rows, size_t width) {
  std::vector<Widths> widths(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t wanted = std::max<size_t>(columns[i].title.size(), columns[i].number ? columns[i].least : 1);
    for (const auto& row : rows) wanted = std::max(wanted, wanted_by(row[i]));
    widths[i] = {wanted, columns[i].fit == Column::Fit::whole ? wanted : std::min(wanted, columns[i].least)};
  }
  while (sum_of(widths, &Widths::wanted) > width) {
    Widths* const going =
        next_to_go(columns, widths, [](const Column& column) { return column.fit == Column::Fit::nicety; });
    if (going == nullptr) break;
    *going = {};
  }
  while (sum_of(widths, &Widths::least) > width) {
    Widths* const going = next_to_go(columns, widths, [](const Column&) { return true; });
    if (going == nullptr) break;
    *going = {};
  }
  // What is last is cut first.
  size_t too_much = sum_of(widths, &Widths::wanted);
  too_much -= std::min(too_much, width);
  std::vector<size_t> found(columns.size());
  for (size_t i = columns.size(); i-- > 0;) {
    const size_t less = std::min(too_much, widths[i].wanted - widths[i].least);
    found[i] = widths[i].wanted - less;
    too_much -= less;
  }
  // And has what is left.
  const size_t used = sum_of(widths, &Widths::wanted);
  if (used < width && !found.empty() && found.back() != 0) found.back() += width - used;
  return found;
}

Line heading_line(std::span<const Column> columns, std::span<const size_t> widths, size_t width) {
  std::string text;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (widths[i] == 0) continue;
    const std::string title(columns[i].title);
    const std::string gap(widths[i] - std::min(widths[i], title.size()), ' ');
    text += (text.empty() ? "" : std::string(kGap, ' ')) + (columns[i].number ? gap + title : title + gap);
  }
  text = cut(text, width);
  text.resize(width, ' ');
  return {{{text, Style::heading}}};
}

Line row_line(std::span<const Column> columns, std::span<const size_t> widths, const std::vector<Cell>& row) {
  Line line;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (widths[i] == 0) continue;
    if (!line.spans.empty()) line.spans.push_back({std::string(kGap, ' ')});
    const Cell& cell = row[i];
    const bool fits = cell.text.size() + kGap + cell.detail.size() <= widths[i];
    if (cell.detail.empty() || (cell.style != Style::wrong && !fits)) {
      add_padded(line, cut(cell.text, widths[i]), cell.style, widths[i], columns[i].number);
    } else if (cell.style == Style::wrong) {
      add_padded(line, cut(cell.text + ": " + cell.detail, widths[i]), cell.style, widths[i], false);
    } else {
      line.spans.push_back({cell.text, cell.style});
      add_padded(line, std::string(kGap, ' ') + cell.detail, Style::dim, widths[i] - cell.text.size(), false);
    }
  }
  return line;
}

}  // namespace causeway::top
