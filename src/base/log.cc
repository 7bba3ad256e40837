#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>

namespace saffron {
namespace {

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: break;
  }
  return "off";
}

// The length of the well-formed UTF-8 sequence that starts `text` (Unicode 15, table 3-7); 0 if
// there is none. Overlong forms and surrogates are not well formed.
std::size_t Utf8Length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

void AppendEscapedControl(std::string& line, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '\n': line += "\\n"; return;
    case '\r': line += "\\r"; return;
    case '\t': line += "\\t"; return;
    default: break;
  }
  line += "\\u00";
  line += kDigits[static_cast<unsigned char>(c) >> 4];
  line += kDigits[static_cast<unsigned char>(c) & 0x0f];
}

// A JSON string. Bytes that are not UTF-8 become U+FFFD one by one, so that the line stays valid.
void AppendQuoted(std::string& line, std::string_view text) {
  line += '"';
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    std::size_t length = Utf8Length(text.substr(i));
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      AppendEscapedControl(line, c);
    } else if (length == 0) {
      line += "\xef\xbf\xbd";
    } else {
      line += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  line += '"';
}

// Whether a text value can stand bare after "name=".
bool IsPlain(std::string_view text) {
  for (char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return !text.empty();
}

template <class Number>
void AppendNumber(std::string& line, Number number) {
  char digits[40];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  line.append(digits, end);
}

struct ValueAppender {
  std::string& line;
  LogFormat format;

  void operator()(std::string_view text) const {
    if (format == LogFormat::kText && IsPlain(text)) {
      line += text;
    } else {
      AppendQuoted(line, text);
    }
  }
  void operator()(std::int64_t number) const { AppendNumber(line, number); }
  void operator()(std::uint64_t number) const { AppendNumber(line, number); }
  void operator()(double number) const {
    // JSON has neither infinity nor not-a-number.
    if (format == LogFormat::kJson && !std::isfinite(number)) {
      line += "null";
    } else {
      AppendNumber(line, number);
    }
  }
  void operator()(bool value) const { line += value ? "true" : "false"; }
  void operator()(const Uuid& uuid) const { (*this)(std::string_view(uuid.ToString())); }
};

}  // namespace

Log::Log(Options options, Clock clock, Sink sink)
    : options_(options), clock_(std::move(clock)), sink_(std::move(sink)) {}

Log Log::Discard() {
  return Log(
      {.level = LogLevel::kOff, .format = LogFormat::kText}, [] { return WallTime(); },
      [](std::string_view) {});
}

Log::Sink Log::DescriptorSink(int descriptor) {
  return [descriptor](std::string_view line) {
    while (!line.empty()) {
      ssize_t written = write(descriptor, line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      line.remove_prefix(static_cast<std::size_t>(written));
    }
  };
}

void Log::WriteLine(LogLevel level, std::string_view event, Fields fields) {
  std::string line;
  line.reserve(256);
  const ValueAppender append{line, options_.format};
  if (options_.format == LogFormat::kJson) {
    line += "{\"time\":\"";
    line += clock_().ToRfc3339();
    line += "\",\"level\":\"";
    line += LevelName(level);
    line += "\",\"event\":";
    AppendQuoted(line, event);
    for (const LogField& field : fields) {
      line += ',';
      AppendQuoted(line, field.name);
      line += ':';
      std::visit(append, field.value.value());
    }
    line += "}\n";
  } else {
    line += clock_().ToRfc3339();
    line += ' ';
    line += LevelName(level);
    line += ' ';
    line += event;
    for (const LogField& field : fields) {
      line += ' ';
      line += field.name;
      line += '=';
      std::visit(append, field.value.value());
    }
    line += '\n';
  }
  std::lock_guard<std::mutex> held(mutex_);
  sink_(line);
}

}  // namespace saffron
