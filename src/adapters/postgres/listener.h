// One thread with a connection of its own that waits for what other processes settle. When the
// connection is lost it connects again, and what was said meanwhile is not heard.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "adapters/postgres/pool.h"
#include "base/ids.h"

namespace saffron::postgres {

std::string ChannelOf(const std::string& schema);

class Listener {
 public:
  // The pool outlives it.
  Listener(Pool& pool, Log& log, std::function<void(SlotNumber)> callback);
  ~Listener();

 private:
  void Run();
  void Listen(Connection& connection);
  // False: stop.
  bool RestFor(std::chrono::milliseconds time) const;

  Pool& pool_;
  Log& log_;
  const std::function<void(SlotNumber)> callback_;
  const Statement listen_;
  const int stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace saffron::postgres
