// Result<T>: a value or an Error. Every fallible function of Saffron returns one.
//
// A code names what the caller does about it, not where it came from:
//   kInvalid         the request is wrong; repeating it is useless
//   kNotFound        the thing named does not exist
//   kConflict        a condition of the request did not hold; nothing was changed
//   kUnavailable     not applied; the same call may succeed later
//   kUnknownOutcome  maybe applied: verify before retrying
//   kCorrupt         stored bytes are not what was written; never served as truth
//   kCancelled       the process is stopping
//   kInternal        a defect of ours
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace saffron {

enum class Code {
  kInvalid,
  kNotFound,
  kConflict,
  kUnavailable,
  kUnknownOutcome,
  kCorrupt,
  kCancelled,
  kInternal,
};

std::string_view CodeName(Code code);

[[noreturn]] void AssertionFailed(const char* expression, const char* file, int line);

// A broken invariant ends the process, in production too: going on would make it worse.
#define SAFFRON_ASSERT(expression)                                 \
  do {                                                             \
    if (!(expression)) [[unlikely]]                                \
      ::saffron::AssertionFailed(#expression, __FILE__, __LINE__); \
  } while (false)

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // "UNAVAILABLE: connection refused"
  std::string ToString() const;
  // The same error with "context: " before its message.
  Error Within(std::string_view context) const;

 private:
  Code code_;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    SAFFRON_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    SAFFRON_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    SAFFRON_ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    SAFFRON_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    SAFFRON_ASSERT(!ok());
    return std::move(*std::get_if<1>(&state_));
  }
  Code code() const { return error().code(); }
  bool Is(Code code) const { return !ok() && error().code() == code; }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    SAFFRON_ASSERT(!ok());
    return *error_;
  }
  Error&& error() && {
    SAFFRON_ASSERT(!ok());
    return std::move(*error_);
  }
  Code code() const { return error().code(); }
  bool Is(Code code) const { return !ok() && error().code() == code; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;
inline Status Ok() { return Status(); }

inline Error Invalid(std::string message) { return {Code::kInvalid, std::move(message)}; }
inline Error NotFound(std::string message) { return {Code::kNotFound, std::move(message)}; }
inline Error Conflict(std::string message) { return {Code::kConflict, std::move(message)}; }
inline Error Unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
inline Error UnknownOutcome(std::string message) {
  return {Code::kUnknownOutcome, std::move(message)};
}
inline Error Corrupt(std::string message) { return {Code::kCorrupt, std::move(message)}; }
inline Error Cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
inline Error Internal(std::string message) { return {Code::kInternal, std::move(message)}; }

#define SAFFRON_CONCAT_INNER(a, b) a##b
#define SAFFRON_CONCAT(a, b) SAFFRON_CONCAT_INNER(a, b)

// Returns the error of `expression`, if it is one.
#define SAFFRON_TRY(expression)                                   \
  do {                                                            \
    if (auto saffron_status = (expression); !saffron_status.ok()) \
      return std::move(saffron_status).error();                   \
  } while (false)

// Declares or assigns `target` from `expression`, or returns its error.
#define SAFFRON_ASSIGN(target, expression) \
  SAFFRON_ASSIGN_INNER(target, expression, SAFFRON_CONCAT(saffron_result_, __LINE__))
#define SAFFRON_ASSIGN_INNER(target, expression, result) \
  auto result = (expression);                            \
  if (!result.ok()) return std::move(result).error();    \
  target = std::move(result).value()

}  // namespace saffron
