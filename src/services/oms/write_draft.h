// The common part of reading any write. See write_parser.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/oms/body_reader.h"
#include "services/oms/write_parser.h"

namespace saffron {

inline constexpr std::uint64_t kMaxSequence = 0x7fffffffffffffffULL;
inline constexpr std::size_t kMaxKeyBytes = 255;

// Collects one request; the first thing wrong is the answer. Lives for one call.
class WriteParser::Draft {
 public:
  explicit Draft(const ApiCall& call) : call_(call) { request_.actor = RoleName(call.role); }

  bool ok() const { return !refusal_.has_value(); }
  WriteRequest& request() { return request_; }
  // The only command of a single one.
  WriteCommand& command();

  void Fail(HttpResponse refusal) {
    if (!refusal_) refusal_ = std::move(refusal);
  }
  void Check(const Status& status);
  void FailBody(const std::vector<Violation>& violations);

  void TakeDatabase(std::string_view db);
  void TakeBranch();
  void TakeClass(std::string_view class_id);
  void TakeInstance(std::string_view instance_id);
  // `expected_seq`, required.
  void TakeExpected();
  // The body as one object, checked; "{}" when it failed.
  std::string_view RequireBody();
  // A body is not needed; if there is one, it may hold a command id.
  void AllowBody();
  // From the body's `command_id`, read before.
  void TakeBodyKey(const std::optional<std::string>& command_id) { body_key_ = command_id; }

  ParsedWrite Finish(const EventId& fresh);

 private:
  void TakeKey(const EventId& fresh);

  const ApiCall& call_;
  WriteRequest request_;
  std::optional<std::string> body_key_;
  std::optional<HttpResponse> refusal_;
};

}  // namespace saffron
