// JSON texts that follow each other with nothing between, as OVSDB sends them (RFC 7047 section 4, JSON-RPC 1.0): where
// each ends is found by counting brackets outside strings. Each byte is looked at once, however many pieces it comes
// in. Belongs to whoever reads the socket; knows nothing about threads.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "pmd/error.h"

namespace causeway::ovsdb {

// The longest text that is taken, in bytes: what the control socket takes of a client, too. A port is 330 bytes of a
// dump, so that is 200,000 ports, three times what a bridge of OVS has numbers for.
constexpr size_t kMostTextBytes = size_t{64} << 20;
// How deep brackets nest at most; a dump with sets of references in it comes to 10. Each level costs a parser memory.
constexpr size_t kMostTextDepth = 64;

class JsonStream {
 public:
  explicit JsonStream(size_t most_bytes = kMostTextBytes) : most_bytes_(most_bytes) {}

  // Takes what was read next. Fails where no text of a peer's can go on like that: not an object, too long, too deep.
  // The stream is of no use then.
  Error append(std::string_view piece);
  // The next whole text, in the order they came. Nothing is said about it but that its brackets are as many as they
  // should be: its parser finds the rest.
  std::optional<std::string> next();

  size_t unfinished_bytes() const noexcept { return text_.size(); }

 private:
  // Bytes of `piece` up to the end of the text; all of them where it doesn't end in there.
  size_t scan(std::string_view piece);

  size_t most_bytes_;
  std::string text_;  // the one that has not ended
  size_t depth_ = 0;  // of brackets open in it
  bool in_string_ = false;
  bool escaped_ = false;  // behind a backslash
  bool too_deep_ = false;
  std::deque<std::string> whole_;
};

}  // namespace causeway::ovsdb
