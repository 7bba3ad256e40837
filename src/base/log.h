// A structured event log: a stable event name and typed fields, one line an event, as text for
// people or as JSON lines for machines.
#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "base/runtime.h"

namespace saffron {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };
enum class LogFormat { kText, kJson };

// What a field may hold. Views must live until the log call returns; nothing is formatted or
// allocated for a disabled level.
class LogValue {
 public:
  using Variant = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Uuid>;

  LogValue(std::string_view text) : value_(text) {}                      // NOLINT: implicit
  LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT: implicit
  LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT: implicit
  LogValue(bool value) : value_(value) {}                                // NOLINT: implicit
  LogValue(double value) : value_(value) {}                              // NOLINT: implicit
  LogValue(const Uuid& uuid) : value_(uuid) {}                           // NOLINT: implicit
  template <std::signed_integral T>
  LogValue(T value) : value_(std::int64_t{value}) {}  // NOLINT: implicit
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T value)
      : value_(std::uint64_t{value}) {}  // NOLINT: implicit
  template <class Tag>
  LogValue(Identifier<Tag> id) : value_(id.uuid) {}  // NOLINT: implicit
  template <class Tag>
  LogValue(Ordinal<Tag> ordinal) : value_(ordinal.value) {}  // NOLINT: implicit

  const Variant& value() const { return value_; }

 private:
  Variant value_;
};

struct LogField {
  std::string_view name;
  LogValue value;
};

// Owned by main (or a test) and handed down by reference. Any thread may call it; lines never
// mix. What the sink has taken survives a crash of the process as far as the sink does.
class Log {
 public:
  // Gets one whole line with its newline; calls are serialised.
  using Sink = std::function<void(std::string_view line)>;
  using Clock = std::function<WallTime()>;
  using Fields = std::initializer_list<LogField>;

  struct Options {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
  };

  Log(Options options, Clock clock, Sink sink);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // A log of which every level is disabled.
  static Log Discard();
  // Writes each line by one write(2), so that processes may share the descriptor. The descriptor
  // stays the caller's. A line that cannot be written is lost: there is nowhere to say so.
  static Sink DescriptorSink(int descriptor);

  bool Enabled(LogLevel level) const { return level >= options_.level; }

  void Debug(std::string_view event, Fields fields = {}) { Write(LogLevel::kDebug, event, fields); }
  void Info(std::string_view event, Fields fields = {}) { Write(LogLevel::kInfo, event, fields); }
  void Warning(std::string_view event, Fields fields = {}) {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(std::string_view event, Fields fields = {}) { Write(LogLevel::kError, event, fields); }

  void Write(LogLevel level, std::string_view event, Fields fields) {
    if (Enabled(level)) WriteLine(level, event, fields);
  }

 private:
  void WriteLine(LogLevel level, std::string_view event, Fields fields);

  const Options options_;
  const Clock clock_;
  const Sink sink_;
  std::mutex mutex_;
};

}  // namespace saffron
