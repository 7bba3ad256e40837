#include "adapters/postgres/listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace saffron::postgres {

std::string ChannelOf(const std::string& schema) { return "saffron_" + schema; }

Listener::Listener(Pool& pool, Log& log, std::function<void(SlotNumber)> callback)
    : pool_(pool),
      log_(log),
      callback_(std::move(callback)),
      listen_{"listen", "listen " + ChannelOf(pool.schema())},
      stop_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

Listener::~Listener() {
  const std::uint64_t one = 1;
  (void)!write(stop_, &one, sizeof one);
  thread_.join();
  close(stop_);
}

bool Listener::RestFor(std::chrono::milliseconds time) const {
  pollfd stop{stop_, POLLIN, 0};
  return poll(&stop, 1, static_cast<int>(time.count())) == 0;
}

void Listener::Run() {
  std::chrono::milliseconds rest{100};
  bool complained = false;
  do {
    Result<std::unique_ptr<Connection>> connection = pool_.NewConnection();
    if (connection.ok()) {
      rest = std::chrono::milliseconds(100);
      complained = false;
      Listen(**connection);
    } else if (!complained) {
      complained = true;
      log_.Warning("registry_listen_failed", {{"error", connection.error().ToString()}});
    }
    rest = std::min(rest * 2, std::chrono::milliseconds(5000));
  } while (RestFor(rest));
}

// Until the connection is lost or the listener stops.
void Listener::Listen(Connection& connection) {
  connection.Add(listen_);
  if (pool_.Run(connection).failure) return;
  while (true) {
    pollfd wanted[] = {{connection.socket(), POLLIN, 0}, {stop_, POLLIN, 0}};
    if (poll(wanted, 2, -1) < 0) continue;
    if (wanted[1].revents != 0) return;
    const std::optional<std::vector<std::string>> payloads = connection.TakeNotices();
    if (!payloads) return;
    std::uint64_t highest = 0;
    for (const std::string& payload : *payloads) {
      std::uint64_t slot = 0;
      std::from_chars(payload.data(), payload.data() + payload.size(), slot);
      highest = std::max(highest, slot);
    }
    if (highest > 0) callback_(SlotNumber(highest));
  }
}

}  // namespace saffron::postgres
