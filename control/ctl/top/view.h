// The view: what stands on each line of a terminal of some size, and what the keys do to it. Knows no terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/ctl/top/lines.h"
#include "control/ctl/top/model.h"

namespace causeway::top {

enum class Key : uint8_t {
  up,
  down,
  page_up,
  page_down,
  home,
  end,
  enter,
  escape,
  tab,
  backspace,
  character,
  resized,
};

struct Pressed {
  Key key = Key::character;
  char character = 0;
};

struct Size {
  size_t rows = 0;
  size_t columns = 0;
};

class View {
 public:
  // As many lines as there are rows, none longer than the width. `trouble`: why there is nothing new; empty: there is.
  std::vector<Line> draw(const Model& model, Size size, const std::string& trouble);

  void press(const Pressed& pressed);
  bool ended() const { return ended_; }

 private:
  enum class Page : uint8_t { topology, workers, drops };
  enum class Order : uint8_t { name, in, out, drops, wrong };
  struct Row {
    std::string id;
    std::vector<Cell> cells;
    Item::Kind kind = Item::Kind::bridge;  // of what Enter opens
    std::string name{};                    // empty: nothing
  };

  std::vector<Row> topology_rows(const Model& model) const;
  void add_rows(std::vector<Row>& rows, std::vector<Item> items, size_t depth, bool all) const;
  std::vector<Row> worker_rows(const Model& model) const;
  std::vector<Row> drop_rows(const Model& model) const;
  void draw_table(const Model& model, Size size, std::vector<Line>& lines);
  void draw_object(const Model& model, Size size, std::vector<Line>& lines);
  Line foot(const std::string& trouble, size_t width) const;
  bool matches(const Item& item) const;
  void type(const Pressed& pressed);
  void press_character(char character);
  void move_to(size_t place);
  void go_back();

  Page page_ = Page::topology;
  Order order_ = Order::name;
  std::string filter_;
  bool typing_ = false;  // the filter
  bool ended_ = false;

  // What was drawn last.
  std::vector<Row> rows_;
  size_t selected_ = 0;
  std::string selected_id_;
  size_t first_ = 0;  // the first row that is to be seen
  size_t height_ = 1;

  // What Enter has opened.
  bool open_ = false;
  Item::Kind open_kind_ = Item::Kind::bridge;
  std::string open_name_;
  size_t open_lines_ = 0;
  size_t open_first_ = 0;
};

}  // namespace causeway::top
