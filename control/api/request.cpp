#include "control/api/request.h"

#include <algorithm>
#include <utility>

#include "control/api/verbs.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr const char* kNoRequest = "expected an object with a string \"verb\"";

// nlohmann's events. The first that no request has ends the parsing (returns false).
class RequestReader : public json::json_sax_t {
 public:
  ApiRequest take() && { return std::move(request_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool string(string_t& value) override {
    if (value.size() > kMostFieldBytes && key_ != "text") return refuse(too_long(key_));
    return add(std::move(value));
  }
  bool start_object(size_t) override {
    if (inside_) return refuse("request nested too deep");
    inside_ = true;
    request_.fields = json::object();
    return true;
  }
  bool key(string_t& name) override {
    if (request_.fields.size() >= kMostRequestFields) return refuse("request has too many fields");
    if (name.size() > kMostFieldBytes) return refuse("a field's name is longer than 4096 bytes");
    key_ = std::move(name);
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return refuse(inside_ ? "request nested too deep" : kNoRequest); }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const json::exception&) override {
    return refuse("malformed JSON: expected one object a line");
  }

  static std::string too_long(const std::string& key) { return key + ": longer than 4096 bytes"; }

 private:
  bool refuse(std::string why) {
    request_.error = std::move(why);
    return false;
  }
  template <class Value>
  bool add(Value&& value) {
    if (!inside_) return refuse(kNoRequest);
    request_.fields[key_] = std::forward<Value>(value);
    return true;
  }

  ApiRequest request_;
  std::string key_;
  bool inside_ = false;
};

std::string wrong_with(const json& fields) {
  const auto verb = fields.find("verb");
  if (verb == fields.end() || !verb->is_string()) return kNoRequest;
  const auto text = fields.find("text");
  const auto* const known = std::ranges::find(kVerbs, verb->get_ref<const std::string&>(), &Verb::name);
  const bool has_file = known != std::end(kVerbs) && known->takes_file();
  const bool large =
      text != fields.end() && text->is_string() && text->get_ref<const std::string&>().size() > kMostFieldBytes;
  return large && !has_file ? RequestReader::too_long("text") : std::string();
}

}  // namespace

ApiRequest parse_request(std::string_view line) {
  static_assert(kMostFieldBytes == 4096);  // as the errors say
  RequestReader reader;
  json::sax_parse(line, &reader);
  ApiRequest request = std::move(reader).take();
  if (request.error.empty()) request.error = wrong_with(request.fields);
  return request;
}

}  // namespace causeway
