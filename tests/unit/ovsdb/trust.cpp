// A server that says what none says: the connection ends with a word about why, and nothing else happens.
#include <string>

#include "tests/unit/ovsdb/fake_server.h"

namespace causeway::ovsdb::test {
namespace {

struct Nonsense {
  const char* text;
  const char* why;  // begins so
};

// Behind a dump. A transaction waits for its answer, with the id 4.
constexpr Nonsense kNonsense[] = {
    {"hello", "the server sent a message that is no JSON object"},
    {"[1]", "the server sent a message that is no JSON object"},
    {R"({"id":1])", "a message that can't be used: malformed JSON"},
    {R"({"id":1,})", "a message that can't be used: malformed JSON"},
    {"{\"id\":\"\xff\xfe\"}", "a message that can't be used: malformed JSON"},
    {"{}", "a message that can't be used: "},
    {R"({"method":7})", "a message that can't be used: "},
    {R"({"method":"echo"})", "a message that can't be used: "},
    {R"({"method":"locked","params":{}})", "a message that can't be used: "},
    {R"({"method":"stolen","params":[]})", "a message that can't be used: "},
    {R"({"method":"update3"})", "a message that can't be used: "},
    {R"({"method":"update3","params":["causeway"]})", "a message that can't be used: "},
    {R"({"method":"update3","params":["causeway","0",7]})",
     "a message that can't be used: an update that can't be read: "},
    {R"({"method":"update3","params":["causeway","0",{"Queue":{"none":{"modify":{}}}}]})",
     "a message that can't be used: an update that can't be read: a change of a row that was never told"},
    {R"({"method":"monitor_canceled","params":["causeway"]})",
     "a message that can't be used: the server ended the watching"},
    {R"({"id":4,"error":null})", "a message that can't be used: "},
    {R"({"id":4,"result":{},"error":null})", "a message that can't be used: the answer to a transaction is no list"},
    {R"({"id":4,"result":null,"error":null})", "a message that can't be used: the answer to a transaction is no list"},
};

// Behind the three calls that a session begins with, of the ids 1, 2 and 3.
constexpr Nonsense kNonsenseBefore[] = {
    {R"({"id":3,"result":[],"error":null})", "a message that can't be used: "},
    {R"({"id":3,"result":null,"error":null})", "a message that can't be used: "},
    {R"({"id":3,"error":null})", "a message that can't be used: "},
    {R"({"id":3,"result":[false,"0",[]],"error":null})",
     "a message that can't be used: an update that can't be read: "},
    {R"({"id":3,"result":[false,"0",{"Queue":{"q":{"initial":{"dscp":"x"}}}}],"error":null})",
     "a message that can't be used: an update that can't be read: a value is not of its column's type"},
    {R"({"id":3,"error":{"error":"syntax error","details":"no\u001b[2J"}})",
     "a message that can't be used: monitor_cond_since: syntax error: no\\x1b[2J"},
    {R"({"id":3,"error":[1]})", "a message that can't be used: monitor_cond_since: [1]"},
    {R"({"method":"update3","params":["causeway","0",{}]})", "a message that can't be used: an update before the dump"},
    {R"({"id":2,"result":{"locked":"x"},"error":null})", "a message that can't be used: "},
    {R"({"id":2,"result":7,"error":null})", "a message that can't be used: "},
    {R"({"id":2,"error":"unknown method"})", "a message that can't be used: lock: unknown method"},
};

constexpr Nonsense kNonsenseFirst[] = {
    {R"({"id":1,"result":{},"error":null})", "a message that can't be used: a schema that can't be read: "},
    {R"({"id":1,"result":{"tables":{}},"error":null})",
     "a message that can't be used: the schema has nothing of what is wanted"},
    {R"({"id":1,"error":{"error":"unknown database","details":"no database"}})",
     "a message that can't be used: get_schema: unknown database: no database"},
    {R"({"id":1})", "a message that can't be used: "},
};

std::string why_lost(FakeBed& bed, const char* text) {
  const int clients = bed.server.clients;
  bed.server.send_text(text);
  REQUIRE(until(bed.loop, [&] { return !bed.session().state().connected || bed.server.clients > clients; }));
  for (const std::string& why : bed.watcher.states) {
    if (why.starts_with("a message") || why.starts_with("the server sent") || why.starts_with("the server closed"))
      return why;
  }
  return "(nothing)";
}

}  // namespace

TEST_CASE("nonsense behind a dump ends the connection and leaves the rows as they are") {
  for (const Nonsense& nonsense : kNonsense) {
    INFO(nonsense.text);
    FakeBed bed;
    bed.server.begin(json::parse(R"({"Queue":{"q":{"initial":{"dscp":1}}}})"));
    REQUIRE(bed.watcher.ready(bed.loop));
    Error answer;
    REQUIRE(bed.session().transact(json::array(), [&](const json&, const Error& error) { answer = error; }).text() ==
            "");
    bed.server.expect("transact");
    const std::string why = why_lost(bed, nonsense.text);
    CHECK(why.substr(0, std::string_view(nonsense.why).size()) == nonsense.why);
    CHECK(answer.text().starts_with("no answer: "));
    CHECK(bed.watcher.told == 1);
    CHECK(bed.session().database() == bed.watcher.last);
    bed.server.begin(json::object());
    CHECK(until(bed.loop, [&] { return bed.watcher.told == 2; }));
  }
}

TEST_CASE("nonsense before the dump ends the connection and tells nothing") {
  for (const Nonsense& nonsense : kNonsenseBefore) {
    INFO(nonsense.text);
    FakeBed bed;
    bed.server.answer(bed.server.expect("get_schema"), schema());
    bed.server.expect("lock");
    bed.server.expect("monitor_cond_since");
    const std::string why = why_lost(bed, nonsense.text);
    CHECK(why.substr(0, std::string_view(nonsense.why).size()) == nonsense.why);
    CHECK(bed.watcher.told == 0);
  }
  for (const Nonsense& nonsense : kNonsenseFirst) {
    INFO(nonsense.text);
    FakeBed bed;
    bed.server.expect("get_schema");
    bed.server.expect("lock");
    const std::string why = why_lost(bed, nonsense.text);
    CHECK(why.substr(0, std::string_view(nonsense.why).size()) == nonsense.why);
    CHECK(bed.watcher.told == 0);
  }
}

TEST_CASE("a string without an end is not kept") {
  FakeBed bed({.text_bytes = 300'000, .first_delay = 5ms, .last_delay = 40ms});
  bed.server.expect("get_schema");
  const std::string endless = "{\"id\":\"" + std::string(2'000'000, 'x');
  CHECK(why_lost(bed, endless.c_str()) == "the server sent a message of more than 300000 bytes");
}

TEST_CASE("echoes without an end, and nobody who reads the answers, end the connection") {
  FakeBed bed({.unsent_bytes = 100'000, .first_delay = 5ms, .last_delay = 40ms});
  bed.server.begin(json::object());
  REQUIRE(bed.watcher.ready(bed.loop));
  bed.server.reads = false;
  const int clients = bed.server.clients;
  const json echo = {{"id", 1}, {"method", "echo"}, {"params", {std::string(10'000, 'x')}}};
  for (int i = 0; i < 1'000 && bed.server.clients == clients && bed.session().state().connected; ++i)
    bed.server.send(echo);
  bool found = false;
  for (const std::string& why : bed.watcher.states)
    found = found || why.find("the server takes nothing") != std::string::npos;
  CHECK(found);
}

}  // namespace causeway::ovsdb::test
