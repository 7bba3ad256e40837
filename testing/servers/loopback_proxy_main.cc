// saffron_loopback_proxy HOST:PORT: a LoopbackProxy for tests that are no C++.
//
// Says "127.0.0.1:PORT", then obeys one command a line of its input and answers each with "ok":
//
//   pass | refuse | hold | cut N | delay MS | throttle BYTES_PER_SECOND
//
// A command ends the one before it; `pass` only does that. The end of its input ends it, so none is
// left when the test dies.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "testing/servers/loopback_proxy.h"

namespace saffron {
namespace {

void Pass(LoopbackProxy& proxy) {
  proxy.Accept();
  proxy.Release();
  proxy.CutAnswers(0);
  proxy.DelayAnswers(Duration::zero());
  proxy.Throttle(0);
}

bool Obey(LoopbackProxy& proxy, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  int value = 0;
  words >> command >> value;
  Pass(proxy);
  if (command == "pass") return true;
  if (command == "refuse") {
    proxy.Refuse();
  } else if (command == "hold") {
    proxy.Hold();
  } else if (command == "cut") {
    proxy.CutAnswers(value);
  } else if (command == "delay") {
    proxy.DelayAnswers(milliseconds(value));
  } else if (command == "throttle") {
    proxy.Throttle(static_cast<std::size_t>(value));
  } else {
    return false;
  }
  return true;
}

int Serve(const std::string& target) {
  auto proxy = LoopbackProxy::Start(target, LoopbackProxy::Protocol::kBytes);
  if (!proxy.ok()) {
    std::cerr << proxy.error().ToString() << "\n";
    return 1;
  }
  std::cout << (*proxy)->address() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (Obey(**proxy, line) ? "ok" : "no such command") << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: saffron_loopback_proxy HOST:PORT < commands\n", stderr);
    return 2;
  }
  return saffron::Serve(argv[1]);
}
