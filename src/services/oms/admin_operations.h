// AdminOperations: what an operator does to a running server. Implemented by services/ops.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/names.h"

namespace saffron {

// Every answer is one JSON object. One call at a time; may take long.
class AdminOperations {
 public:
  virtual ~AdminOperations() = default;

  struct DlqFilter {
    std::string handler;                    // empty: all
    std::optional<AggregateKey> aggregate;  // with it, in full
    std::size_t limit = 100;
  };
  virtual Result<std::string> Status() = 0;
  virtual Result<std::string> ListDlq(const DlqFilter& filter) = 0;
  // kNotFound when the aggregate is not parked.
  virtual Result<std::string> ReplayDlq(std::string_view handler,
                                        const AggregateKey& aggregate) = 0;
  virtual Result<std::string> DiscardDlq(std::string_view handler, const AggregateKey& aggregate,
                                         std::string_view reason) = 0;
  // `options`: a JSON object. kInvalid names what is wrong with it.
  virtual Result<std::string> Verify(std::string_view options) = 0;
  // Where the Verify that runs is. Never waits; called beside the others.
  virtual std::string VerifyProgressNow() = 0;
  // "graph", "search", ...: kInvalid names those there are.
  virtual Result<std::string> Rebuild(std::string_view target) = 0;
};

}  // namespace saffron
