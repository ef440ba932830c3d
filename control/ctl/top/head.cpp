#include "control/ctl/top/head.h"

#include <fmt/format.h>

#include "control/ctl/top/numbers.h"

namespace causeway::top {
namespace {

constexpr size_t kLabelWidth = 9;

std::string rates_text(const char* direction, Rate packets, Rate bits) {
  return fmt::format("{} {} p/s {} b/s", direction, short_number(packets), short_number(bits));
}

Line first_line(const Summary& summary, size_t width) {
  const std::string rates = rates_text("in", summary.rates.in_packets, summary.rates.in_bits) + "   " +
                            rates_text("out", summary.rates.out_packets, summary.rates.out_bits);
  Line line{{{cut(summary.name, width), Style::bold}}};
  const std::string more[] = {"  up " + short_duration(summary.uptime_s), "  causeway " + summary.version};
  for (const std::string& text : more) {
    if (line.width() + text.size() + 2 + rates.size() <= width) line.spans.push_back({text, Style::dim});
  }
  if (line.width() + 2 + rates.size() > width) return line;
  line.spans.push_back({std::string(width - line.width() - rates.size(), ' ')});
  line.spans.push_back({rates});
  return line;
}

// A label, and as many of the texts as there is room for.
Line listed(std::string_view label, const std::vector<std::string>& texts, Style style, size_t width) {
  Line line{{{fmt::format("{:<{}}", label, kLabelWidth), Style::dim}}};
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = (i == 0 ? "" : "   ") + texts[i];
    const std::string rest = i + 1 < texts.size() ? fmt::format("   +{}", texts.size() - i - 1) : "";
    if (line.width() + text.size() + rest.size() > width && i != 0) {
      line.spans.push_back({fmt::format("   +{}", texts.size() - i), style});
      return line;
    }
    const size_t room = width - std::min(width, line.width());
    line.spans.push_back({cut(text, room), style});
  }
  return line;
}

Line workers_line(const Model& model, size_t width) {
  std::vector<std::string> texts;
  for (const WorkerLoad& load : model.workers()) {
    texts.push_back(
        fmt::format("{}: {} %, {} cycles/p", load.id, load.busy_percent, short_number(load.cycles_a_packet)));
  }
  return listed("workers", texts, Style::plain, width);
}

Line drops_line(const Model& model, size_t width) {
  std::vector<std::string> texts;
  uint64_t total = 0;
  bool alarming = false;
  for (const Drops& drops : model.drops()) {
    total += drops.total;
    alarming = alarming || drops.alarming();
    if (drops.rate.value_or(0) > 0) texts.push_back(fmt::format("{} {}/s", drops.reason, short_number(drops.rate)));
  }
  if (!texts.empty()) return listed("drops", texts, alarming ? Style::wrong : Style::plain, width);
  return listed("drops", {fmt::format("none now, {} so far", total)}, Style::plain, width);
}

void find_wrong(const std::vector<Item>& items, std::vector<const Item*>& found) {
  for (const Item& item : items) {
    // A tunnel says it for its only VTEP, and leaves it to the VTEPs where there are several.
    if (item.wrong && item.below.size() <= 1) {
      found.push_back(&item);
    } else {
      find_wrong(item.below, found);
    }
  }
}

Line wrong_line(const Model& model, size_t width) {
  std::vector<const Item*> found;
  find_wrong(model.items(), found);
  if (found.empty()) return listed("wrong", {"nothing"}, Style::plain, width);
  std::vector<std::string> texts;
  for (const Item* const item : found) {
    texts.push_back(fmt::format("{}{}{} {}", item->owner, item->owner.empty() ? "" : " ", item->name, item->state));
  }
  // One has room to say why.
  if (found.size() == 1 && !found.front()->detail.empty()) texts.front() += ": " + found.front()->detail;
  return listed("wrong", texts, Style::wrong, width);
}

}  // namespace

std::vector<Line> head_lines(const Model& model, size_t width) {
  return {first_line(model.summary(), width), workers_line(model, width), drops_line(model, width),
          wrong_line(model, width)};
}

}  // namespace causeway::top
