// What a terminal would take for orders (control/process/printable.h).
#include "control/process/printable.h"

#include "tests/catch.h"

using causeway::make_printable;
using causeway::printable;
using nlohmann::json;

TEST_CASE("printable: text without orders stays as it is") {
  for (const char* text : {"", "gnv0", "172.31.0.1 -> 172.31.0.2", "Zürich, 東京, é", "a\\x1bc"})
    CHECK(printable(text) == text);
}

TEST_CASE("printable: control characters are written out") {
  CHECK(printable("up\x1b[31m forged") == "up\\x1b[31m forged");
  CHECK(printable(std::string_view("\0\a\b\r\n\t\x7f", 7)) == "\\x00\\x07\\x08\\x0d\\x0a\\x09\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");  // U+009B, a terminal's CSI in one character
  CHECK(printable("\xe2\x80\xae"
                  "live") == "\\xe2\\x80\\xaelive");  // U+202E turns the line around
  CHECK(printable("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8f") == "\\xe2\\x81\\xa6\\xe2\\x81\\xa9\\xe2\\x80\\x8f");
  CHECK(printable("\xe2\x80\x93\xe2") == "\xe2\x80\x93\xe2");  // a dash, and half a character
}

TEST_CASE("printable: a whole reply, keys too") {
  json reply{{"ok", true}, {"result", {{{"na\nme", "\x1b]0;x\a"}, {"mtu", 1500}, {"list", {"a", "\r"}}}}}};
  make_printable(reply);
  const json expected{{"ok", true},
                      {"result", {{{"na\\x0ame", "\\x1b]0;x\\x07"}, {"mtu", 1500}, {"list", {"a", "\\x0d"}}}}}};
  CHECK(reply == expected);
}
