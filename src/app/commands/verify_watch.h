// How far a verification is, told while its answer is waited for.
#pragma once

#include <memory>

#include "app/api_client.h"
#include "app/console.h"
#include "base/runtime.h"

namespace saffron {

// Asks the server on a connection and a task of its own: on a terminal twice a second, for one line
// that is written over; else a line every ten seconds. Ends with the object. A server that does not
// tell is asked no more.
class VerifyWatch {
 public:
  VerifyWatch(Runtime& runtime, ApiOptions api, Console console);
  ~VerifyWatch();
  VerifyWatch(const VerifyWatch&) = delete;
  VerifyWatch& operator=(const VerifyWatch&) = delete;

 private:
  void Run();

  Runtime& runtime_;
  ApiOptions api_;
  Console console_;
  const std::unique_ptr<Condition> condition_;
  bool finished_ = false;
  std::unique_ptr<Task> task_;
};

// "log 1,200 of 99,000"; empty when nothing runs.
std::string VerifyProgressText(std::string_view json);

}  // namespace saffron
