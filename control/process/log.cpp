#include "control/process/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "control/process/log_writer.h"

namespace causeway {

namespace {

constexpr std::array kPriorities{LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_DEBUG};

// "%*" in a pattern: the level as syslog(3) counts.
class Priority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    out.push_back(static_cast<char>('0' + kPriorities[static_cast<size_t>(message.level)]));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's stream; a child whose stderr was
// redirected inherits the variable, but not the stream.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return std::string_view(stream) == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

// Some 100,000 lines: those of the largest apply, while nobody reads.
constexpr size_t kMostQueuedBytes = size_t{8} << 20;
constexpr std::chrono::milliseconds kLastWords{1000};

std::unique_ptr<spdlog::formatter> make_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<Priority>('*');
  formatter->set_pattern(stderr_is_journal() ? "<%*>%l: %v" : "%Y-%m-%d %H:%M:%S.%e %l: %v");
  return formatter;
}

std::string formatted(spdlog::formatter& formatter, const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t text;
  formatter.format(message, text);
  return {text.data(), text.size()};
}

LogWriter::TellLost teller() {
  return [formatter = std::shared_ptr<spdlog::formatter>(make_formatter())](uint64_t lines) {
    const std::string text = std::to_string(lines) + " lines of the log are lost: they could not be written to stderr";
    return formatted(*formatter, spdlog::details::log_msg("causeway", spdlog::level::warn, text));
  };
}

class Sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Sink(std::shared_ptr<LogWriter> writer) : writer_(std::move(writer)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override { writer_->add(formatted(*formatter_, message)); }
  void flush_() override {}

 private:
  std::shared_ptr<LogWriter> writer_;
};

std::shared_ptr<LogWriter>& writer() {
  static auto* const started = new std::shared_ptr<LogWriter>();  // never destroyed: others may log at the very end
  return *started;
}

void write(std::string line) {
  if (writer() != nullptr) return writer()->add(std::move(line));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

ssize_t write_to_log(void*, const char* text, size_t size) {
  write({text, size});
  return static_cast<ssize_t>(size);
}

}  // namespace

void start_log() {
  writer() = std::make_shared<LogWriter>(STDERR_FILENO, kMostQueuedBytes, teller());
  auto logger = std::make_shared<spdlog::logger>("causeway", std::make_shared<Sink>(writer()));
  logger->set_formatter(make_formatter());
  spdlog::set_default_logger(std::move(logger));
}

void say_on_stderr(std::string line) {
  if (stderr_is_journal()) line.insert(0, "<" + std::to_string(LOG_ERR) + ">");
  write(std::move(line));
}

std::FILE* log_stream() {
  std::FILE* const stream = fopencookie(nullptr, "w", {nullptr, write_to_log, nullptr, nullptr});
  if (stream == nullptr) return stderr;
  setvbuf(stream, nullptr, _IONBF, 0);  // a message a write; nothing is left for the process' end
  return stream;
}

void flush_log() {
  if (writer() != nullptr) writer()->flush(kLastWords);
}

uint64_t lost_log_lines() { return writer() != nullptr ? writer()->lost() : 0; }

bool set_log_level(const std::string& name) {
  const auto level = spdlog::level::from_str(name);
  if (level == spdlog::level::off && name != "off") return false;  // what from_str makes of an unknown name
  spdlog::set_level(level);
  return true;
}

std::string log_level() {
  const spdlog::string_view_t name = spdlog::level::to_string_view(spdlog::get_level());
  return {name.data(), name.size()};
}

}  // namespace causeway
