#include "control/api/json_stream.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace causeway::ovsdb::test {
namespace {

const std::vector<std::string> kTexts = {
    R"({})",
    R"({"id":null,"method":"echo","params":[]})",
    R"({"a":"}{][","b":["\"","\\","\\\"","\u007b\"{"],"c":{"d":[[],{}]}})",
    R"({"ends with a backslash\\":"\\"})",
    R"({"é":"日本語 \ud83d\ude00","":[1.5e3,-0,true,null]})",
};

std::string all_texts(const std::string& between) {
  std::string all;
  for (const std::string& text : kTexts) all += text + between;
  return all;
}

std::vector<std::string> take_all(JsonStream& stream) {
  std::vector<std::string> texts;
  while (auto text = stream.next()) texts.push_back(*text);
  return texts;
}

std::string why_refused(std::string_view text, size_t most_bytes = kMostTextBytes) {
  JsonStream stream(most_bytes);
  return stream.append(text).text();
}

}  // namespace

TEST_CASE("texts are found wherever the stream is cut in two") {
  const std::string all = all_texts("");
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    JsonStream stream;
    REQUIRE_FALSE(stream.append(all.substr(0, cut)));
    std::vector<std::string> texts = take_all(stream);
    REQUIRE_FALSE(stream.append(all.substr(cut)));
    for (std::string& text : take_all(stream)) texts.push_back(std::move(text));
    REQUIRE(texts == kTexts);
    REQUIRE(stream.unfinished_bytes() == 0);
  }
}

TEST_CASE("texts are found in single bytes, with space between them or without") {
  for (const char* between : {"", "\n", " \t\r\n "}) {
    JsonStream stream;
    std::vector<std::string> texts;
    for (const char byte : all_texts(between)) {
      REQUIRE_FALSE(stream.append({&byte, 1}));
      for (std::string& text : take_all(stream)) texts.push_back(std::move(text));
    }
    CHECK(texts == kTexts);
  }
}

TEST_CASE("an unfinished text is none yet") {
  for (const char* text : {"{", "{\"", "{\"}", "{\"\\\"}", "{\"a\":[}", "{\"a\":\"\\\\\\\"}"}) {
    JsonStream stream;
    CHECK_FALSE(stream.append(text));
    CHECK_FALSE(stream.next());
    CHECK(stream.unfinished_bytes() == std::string_view(text).size());
  }
}

TEST_CASE("what can become no message is refused at its first byte") {
  for (const char* text : {"[1]", "x", "}", "]", "\"a\"", "1", "{}{}\x01", "{},{}", "\xef\xbb\xbf{}"}) {
    CHECK(why_refused(text) == "a message that is no JSON object");
  }
  CHECK(why_refused(" \n").empty());
}

TEST_CASE("a text as long as it may be is taken, a longer one refused, and not kept meanwhile") {
  const std::string text = "{\"a\":\"" + std::string(92, 'x') + "\"}";
  REQUIRE(text.size() == 100);
  CHECK(why_refused(text, 100).empty());
  CHECK(why_refused(text + text + text, 100).empty());
  CHECK(why_refused(text, 99) == "a message of more than 99 bytes");

  JsonStream stream(10'000);
  REQUIRE_FALSE(stream.append("{\"a\":\""));
  Error error;
  const std::string endless(1000, 'x');
  int pieces = 0;
  for (; pieces < 100 && !error; ++pieces) error = stream.append(endless);
  CHECK(error.text() == "a message of more than 10000 bytes");
  CHECK(pieces == 10);
  CHECK(stream.unfinished_bytes() <= 10'000);
}

TEST_CASE("a text nested deeper than any message is refused") {
  const std::string as_deep =
      "{\"a\":" + std::string(kMostTextDepth - 1, '[') + std::string(kMostTextDepth - 1, ']') + "}";
  CHECK(why_refused(as_deep).empty());
  CHECK(why_refused("{\"a\":" + std::string(kMostTextDepth, '[')) == "a message nested deeper than 64 levels");
}

TEST_CASE("a large text in pieces is the same text") {
  std::string text = "{\"rows\":[";
  for (int row = 0; row < 30'000; ++row)
    text += R"({"name":"a \"port\" [)" + std::to_string(row) + R"(]","options":{}},)";
  text += "{}]}";
  JsonStream stream;
  for (size_t at = 0; at < text.size(); at += 65'536) {
    REQUIRE_FALSE(stream.next());
    REQUIRE_FALSE(stream.append(std::string_view(text).substr(at, 65'536)));
  }
  CHECK(stream.next() == text);
  CHECK_FALSE(stream.next());
}

}  // namespace causeway::ovsdb::test
