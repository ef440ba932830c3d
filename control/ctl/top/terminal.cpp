#include "control/ctl/top/terminal.h"

#define NCURSES_NOMACROS  // they are called erase, move and the like
#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <cstdlib>
#include <string>
#include <utility>

namespace causeway::top {
namespace {

constexpr short kRed = 1;
constexpr int kEscape = 27;
constexpr int kDelete = 127;
constexpr int kEscapeDelayMs = 100;  // in which the rest of a key's sequence may come over a slow line

attr_t attributes_of(Style style) {
  switch (style) {
    case Style::plain:
      return A_NORMAL;
    case Style::dim:
      return A_DIM;
    case Style::bold:
      return A_BOLD;
    case Style::wrong:
      return A_BOLD | (has_colors() ? COLOR_PAIR(kRed) : A_NORMAL);
    case Style::heading:
      return A_REVERSE;
  }
  return A_NORMAL;
}

constexpr std::pair<int, Key> kKeys[] = {
    {KEY_UP, Key::up},         {KEY_DOWN, Key::down},  {KEY_PPAGE, Key::page_up},  {KEY_NPAGE, Key::page_down},
    {KEY_HOME, Key::home},     {KEY_END, Key::end},    {KEY_ENTER, Key::enter},    {'\r', Key::enter},
    {'\n', Key::enter},        {kEscape, Key::escape}, {'\t', Key::tab},           {KEY_BACKSPACE, Key::backspace},
    {kDelete, Key::backspace}, {'\b', Key::backspace}, {KEY_RESIZE, Key::resized},
};

}  // namespace

Terminal::~Terminal() {
  if (screen_ == nullptr) return;
  endwin();
  delscreen(static_cast<SCREEN*>(screen_));
}

Error Terminal::open() {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    return "top is for terminals; elsewhere there is `causewayctl show --watch`";
  }
  std::setlocale(LC_CTYPE, "");
  screen_ = newterm(nullptr, stdout, stdin);
  if (screen_ == nullptr || tigetstr("cup") == nullptr) {
    const char* const kind = std::getenv("TERM");
    return fmt::format("top can't place the cursor of this terminal (TERM={}); `causewayctl show --watch` needn't",
                       kind == nullptr ? "" : kind);
  }
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(kEscapeDelayMs);
  curs_set(0);
  if (std::getenv("NO_COLOR") == nullptr && start_color() == OK && use_default_colors() == OK) {
    init_pair(kRed, COLOR_RED, -1);
  }
  return {};
}

Size Terminal::size() const {
  return {static_cast<size_t>(std::max(getmaxy(stdscr), 0)), static_cast<size_t>(std::max(getmaxx(stdscr), 0))};
}

void Terminal::show(const std::vector<Line>& lines) {
  erase();
  const size_t columns = size().columns;
  for (size_t y = 0; y < lines.size(); ++y) {
    move(static_cast<int>(y), 0);
    const Line& line = lines[y];
    const attr_t all = line.selected ? A_REVERSE : A_NORMAL;
    for (const Span& span : line.spans) {
      attrset(attributes_of(span.style) | all);
      addstr(span.text.c_str());
    }
    attrset(all);
    if (line.selected) hline(' ', static_cast<int>(columns - line.width()));
    attrset(A_NORMAL);
  }
  refresh();
}

std::optional<Pressed> Terminal::pressed() {
  while (true) {
    const int code = getch();
    if (code == ERR) return std::nullopt;
    if (code == KEY_RESIZE) clear();  // terminals differ in what they keep
    const auto* const found = std::ranges::find(kKeys, code, &std::pair<int, Key>::first);
    if (found != std::end(kKeys)) return Pressed{found->second, 0};
    if (code >= ' ' && code < kDelete) return Pressed{Key::character, static_cast<char>(code)};
  }
}

}  // namespace causeway::top
