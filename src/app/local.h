// What a command does to the data of a stopped server: it takes the lock of the data directory and,
// for as long as it lasts, is that server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/runtime.h"

namespace saffron {

enum class LocalWork {
  kLook,  // answers reads; nothing is decided, published or folded meanwhile
  kRun,   // every part runs, so that what was left undone gets done
};

// A server on a loopback port of its own that only the bearer of its token may ask. The destructor
// stops it gracefully and gives up the lock.
class LocalServer {
 public:
  virtual ~LocalServer() = default;
  virtual std::string url() const = 0;
  virtual std::string token() const = 0;  // of the role admin
};

struct RegistryRebuilt {
  std::uint64_t slots = 0;  // of the log, all read
  Duration took{0};
};

}  // namespace saffron
