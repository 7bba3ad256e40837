// A real server for a test: one of the scripts beside this file, started on loopback with its data
// in a folder of its own, and stopped with the object.
//
//   void SetUp() override { SAFFRON_NEED_SERVER(minio_, "minio"); }
//   RealServer* minio_ = nullptr;
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "testing/servers/need_server.h"

namespace saffron {

class RealServer {
 public:
  // `name` is that of a script: "minio" for minio.sh. Waits until the server is ready.
  static Result<std::unique_ptr<RealServer>> Start(const std::string& name);
  // Stops it and removes its data.
  ~RealServer();
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;

  // As its script prints it: a URL, or host:port.
  const std::string& address() const { return address_; }
  // Where its data are, and what else its script says.
  const std::string& folder() const { return folder_; }

  // The data and the address stay; Up waits until it is ready again.
  void Down();
  void Kill();
  Status Up();

 private:
  RealServer(std::string script, std::string folder);
  Result<std::string> Run(const std::string& arguments) const;

  const std::string script_, folder_;
  std::string address_;
};

// One of that name for the whole program, started when first asked for; null when it cannot be had:
// its reason is printed once.
RealServer* SharedServer(const std::string& name);

}  // namespace saffron

// In SetUp or a test: a server that cannot be had is a visible skip, and in CI a failure.
#define SAFFRON_NEED_SERVER(pointer, name)               \
  do {                                                   \
    (pointer) = ::saffron::SharedServer(name);           \
    if ((pointer) == nullptr) SAFFRON_NO_SERVER((name)); \
  } while (false)
