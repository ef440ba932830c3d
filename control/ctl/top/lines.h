// Lines of a screen, and columns that fit into its width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::top {

enum class Style : uint8_t { plain, dim, bold, wrong, heading };

struct Span {
  std::string text;
  Style style = Style::plain;
};

struct Line {
  std::vector<Span> spans;
  bool selected = false;

  size_t width() const;
  std::string text() const;
  // What is behind `width` goes.
  void cut_at(size_t width);
};

// A text cut to `width`, with a "~" at its end where something is missing.
std::string cut(std::string text, size_t width);

struct Column {
  enum class Fit : uint8_t {
    whole,    // as wide as its widest cell
    shrinks,  // its texts may be cut, as far as to `least`
    nicety,   // goes before any text is cut
  };
  std::string_view title;
  bool number = false;  // to the right, and never narrower than `least`: so that columns stay where they are
  size_t least = 0;
  unsigned goes = 0;  // where the width isn't enough: the largest first; 0: never
  Fit fit = Fit::whole;
};

struct Cell {
  std::string text;
  Style style = Style::plain;
  std::string detail{};  // behind the text, where there is room for it; of what is wrong as much as there is room for
};

// How wide each column is, 0: it isn't there, of all `rows`; with two spaces between columns.
std::vector<size_t> fit(std::span<const Column> columns, std::span<const std::vector<Cell>> rows, size_t width);

Line heading_line(std::span<const Column> columns, std::span<const size_t> widths, size_t width);
Line row_line(std::span<const Column> columns, std::span<const size_t> widths, const std::vector<Cell>& row);

}  // namespace causeway::top
