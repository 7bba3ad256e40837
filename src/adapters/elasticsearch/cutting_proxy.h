// A proxy on loopback that can lose an answer after the server has given it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace saffron {

class CuttingProxy {
 public:
  explicit CuttingProxy(std::uint16_t server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The next `count` answers end with their connection, before their first byte.
  void LoseAnswers(int count) { to_lose_ = count; }
  int lost() const { return lost_; }

 private:
  void Accept();
  void Serve(int client);

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<int> to_lose_{0}, lost_{0};
  std::vector<std::thread> serving_;  // filled by `accepting_`
  std::thread accepting_;
};

}  // namespace saffron
