#include "adapters/s3/s3_connections.h"

#include <mutex>
#include <utility>

namespace saffron {

S3Connections::S3Connections(Runtime& runtime, HttpClientOptions options, std::size_t most)
    : options_(std::move(options)), most_(most), condition_(runtime.NewCondition()) {}

Result<S3Connections::Lease> S3Connections::Take(Instant deadline) {
  std::unique_ptr<HttpClient> client;
  {
    std::lock_guard lock(*condition_);
    while (in_use_ >= most_) {
      if (!condition_->WaitUntil(deadline) && in_use_ >= most_) {
        return Unavailable("every connection to the object store is in use");
      }
    }
    ++in_use_;
    if (!idle_.empty()) {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (client == nullptr) {
    Result<std::unique_ptr<HttpClient>> opened = HttpClient::Open(options_);
    if (!opened.ok()) {
      Return(nullptr);
      return std::move(opened).error();
    }
    client = std::move(*opened);
  }
  return Lease(*this, std::move(client));
}

void S3Connections::Return(std::unique_ptr<HttpClient> client) {
  std::lock_guard lock(*condition_);
  --in_use_;
  if (client != nullptr) idle_.push_back(std::move(client));
  condition_->NotifyAll();
}

}  // namespace saffron
