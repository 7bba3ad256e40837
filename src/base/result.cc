#include "base/result.h"

namespace saffron {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalid: return "INVALID";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kConflict: return "CONFLICT";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kUnknownOutcome: return "UNKNOWN_OUTCOME";
    case Code::kCorrupt: return "CORRUPT";
    case Code::kCancelled: return "CANCELLED";
    case Code::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

std::string Error::ToString() const { return std::string(CodeName(code_)) + ": " + message_; }

Error Error::Within(std::string_view context) const {
  return Error(code_, std::string(context) + ": " + message_);
}

void AssertionFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "saffron: broken invariant: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace saffron
