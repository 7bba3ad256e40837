// What happens at a named step, as the environment orders it:
//
//   SAFFRON_AT_STEP=NAME:COUNT:ACTION[,NAME:COUNT:ACTION...]
//
// The orders hold one after the other: COUNT passages of NAME after the one before was carried out,
//   kill   the process ends with SIGKILL
//   stop   the process stops itself with SIGSTOP, until somebody sends SIGCONT
//   hold   the thread waits there until the next order is carried out; the others go on
//   pass   nothing: the next order holds from here
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "base/step.h"

namespace saffron {
namespace {

struct Order {
  std::string step;
  int passages = 0;
  std::string action;
};

[[noreturn]] void Refuse(const std::string& text) {
  std::fprintf(stderr, "SAFFRON_AT_STEP: not an order: %s\n", text.c_str());
  std::exit(2);
}

std::vector<Order> OrdersOf(const char* given) {
  std::vector<Order> orders;
  std::istringstream texts(given == nullptr ? "" : given);
  for (std::string text; std::getline(texts, text, ',');) {
    std::istringstream parts(text);
    Order order;
    std::string passages;
    if (!std::getline(parts, order.step, ':') || !std::getline(parts, passages, ':') ||
        !std::getline(parts, order.action)) {
      Refuse(text);
    }
    order.passages = std::atoi(passages.c_str());
    const bool known = order.action == "kill" || order.action == "stop" || order.action == "hold" ||
                       order.action == "pass";
    if (!known || order.passages < 1) Refuse(text);
    orders.push_back(std::move(order));
  }
  if (!orders.empty() && orders.back().action == "hold") Refuse("hold, and nothing after it");
  return orders;
}

class Steps {
 public:
  void Reach(const std::string& name) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (next_ == orders_.size()) return;
    Order& order = orders_[next_];
    if (order.step != name || --order.passages > 0) return;
    const std::size_t after = ++next_;
    std::fprintf(stderr, "step %s: %s\n", name.c_str(), order.action.c_str());
    carried_out_.notify_all();
    // With the lock held: nobody passes a step while the process ends or stops.
    if (order.action == "kill") ::kill(::getpid(), SIGKILL);
    if (order.action == "stop") ::kill(::getpid(), SIGSTOP);
    if (order.action == "hold") carried_out_.wait(lock, [&] { return next_ > after; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable carried_out_;
  std::vector<Order> orders_ = OrdersOf(std::getenv("SAFFRON_AT_STEP"));
  std::size_t next_ = 0;  // the order that holds now
};

}  // namespace

void ReachStep(const char* name) {
  static Steps& steps = *new Steps;  // threads may pass steps until the last moment
  steps.Reach(name);
}

}  // namespace saffron
