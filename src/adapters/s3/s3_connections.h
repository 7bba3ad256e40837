// The connections of a store: at most so many, each used by one call at a time, the one that was
// used last first.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/runtime.h"
#include "net/http_client.h"

namespace saffron {

// Any thread. Outlives its leases.
class S3Connections {
 public:
  S3Connections(Runtime& runtime, HttpClientOptions options, std::size_t most);

  class Lease {
   public:
    Lease(S3Connections& home, std::unique_ptr<HttpClient> client)
        : home_(&home), client_(std::move(client)) {}
    ~Lease() {
      if (client_ != nullptr) home_->Return(std::move(client_));
    }
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    HttpClient* operator->() const { return client_.get(); }

   private:
    S3Connections* home_;
    std::unique_ptr<HttpClient> client_;
  };

  // Waits for one until `deadline`: kUnavailable.
  Result<Lease> Take(Instant deadline);

 private:
  void Return(std::unique_ptr<HttpClient> client);

  const HttpClientOptions options_;
  const std::size_t most_;
  const std::unique_ptr<Condition> condition_;
  std::vector<std::unique_ptr<HttpClient>> idle_;
  std::size_t in_use_ = 0;
};

}  // namespace saffron
