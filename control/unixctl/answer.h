// What a command answers.
#pragma once

#include <functional>
#include <string>
#include <utility>

namespace causeway::unixctl {

// Text bit by bit, each call a little work: appends whole lines, or none yet; false: those were the last. The next call
// may come much later: what it reads from may have changed, and it has to bear that.
using TextStream = std::function<bool(std::string& text)>;

struct Answer {
  static Answer of(std::string text) { return {.text = std::move(text), .more = {}}; }
  static Answer in_bits(TextStream more) { return {.text = {}, .more = std::move(more)}; }
  // Printed by ovs-appctl, which ends with status 2.
  static Answer failure(std::string text) { return {.failed = true, .text = std::move(text), .more = {}}; }

  bool failed = false;
  std::string text;
  TextStream more;  // what comes behind the text; empty: nothing
};

}  // namespace causeway::unixctl
