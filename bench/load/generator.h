// Generator: clients that each keep one connection and one request under way, on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/workload.h"

namespace saffron {

struct GeneratorOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t clients = 64;
  double warmup_s = 0;
  double seconds = 5;          // after the warm-up; unused when `requests` is given
  std::uint64_t requests = 0;  // end after so many
  double rate = 0;             // requests a second, offered whatever the answers do; 0: closed loop
  std::uint64_t window = 0;    // also report the rate of every so many items
};

struct GeneratorResult {
  std::map<int, std::uint64_t> statuses;  // of the answers in the measured time
  std::uint64_t broken = 0;               // connections lost with a request under way
  std::uint64_t late = 0;                 // paced: requests that found no free client when due
  std::uint64_t sent = 0;                 // in all, the warm-up and unanswered ones included
  std::uint64_t accepted = 0;             // 2xx in all, likewise
  double seconds = 0;
  Histogram latency_ns;
  std::vector<double> window_seconds;
  std::string first_refusal;  // the first answer that is not 2xx

  std::uint64_t requests() const;
  std::uint64_t ok() const;
};

// One thread, one use. Costs a send, a receive and a share of an epoll_wait a request. The latency
// of a paced request counts from when it was due, so that a stalled server cannot hide its stall.
class Generator {
 public:
  Generator(const GeneratorOptions& options, Workload& workload);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // False: no connection could be made.
  bool Run();
  const GeneratorResult& result() const { return result_; }

 private:
  struct Client {
    int fd = -1;
    bool busy = false;
    std::uint64_t start_ns = 0;
    std::string unsent;
    std::string head;           // of an answer, until it is whole
    std::uint64_t missing = 0;  // bytes of its body
    int status = 0;
  };

  bool Connect(Client& client);
  void Reconnect(Client& client);
  bool MoreToSend() const;
  // Sends what is due and returns how long epoll may wait, in ms.
  int SendDue();
  void Send(Client& client, std::uint64_t start_ns);
  void Flush(Client& client, std::string_view bytes);
  void Receive(Client& client);
  // Takes one piece of an answer; false: it is not HTTP as this server speaks it.
  bool Take(Client& client, std::string_view bytes);
  bool TakeHead(Client& client, std::string_view& bytes);
  void Answered(Client& client);

  const GeneratorOptions options_;
  Workload& workload_;
  GeneratorResult result_;
  int epoll_fd_ = -1;
  std::vector<Client> clients_;
  std::vector<Client*> idle_;
  std::size_t under_way_ = 0;
  std::uint64_t begin_ns_ = 0;  // of the measured time
  std::uint64_t end_ns_ = 0;
  std::uint64_t last_ns_ = 0;    // the latest answer
  std::uint64_t window_ns_ = 0;  // begin of the current window
  std::uint64_t window_items_ = 0;
  double due_ns_ = 0;
  std::vector<char> scratch_;
};

}  // namespace saffron
