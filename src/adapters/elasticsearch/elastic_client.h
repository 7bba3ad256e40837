// Requests to the engine: connections, credentials, patience, and what its answers mean.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/elasticsearch/elasticsearch_index.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "net/http_client.h"

namespace saffron {

// Waits between repetitions: full jitter, doubling, until a time is over. A value of one call.
class Backoff {
 public:
  Backoff(Runtime& runtime, Duration patience)
      : runtime_(runtime), end_(runtime.Now() + patience) {}
  // False, without having waited to the end: no more repetitions.
  bool Wait();

 private:
  Runtime& runtime_;
  const Instant end_;
  Duration longest_ = milliseconds(50);
};

// Thread-safe.
class ElasticClient {
 public:
  // What may be done about an answer that does not come.
  enum class Effect {
    kNone,        // reads: repeated, and nothing can have happened
    kIdempotent,  // repeated
    kOnce,        // never repeated
  };

  static Result<std::unique_ptr<ElasticClient>> Open(const ElasticsearchOptions& options,
                                                     Runtime& runtime, Log& log);

  // `path` without its first slash, percent-encoded. 2xx, 400, 404 and 409 are answers. Errors:
  // kUnavailable: not applied, or only read; kUnknownOutcome.
  Result<HttpResponse> Send(Effect effect, std::string method, std::string_view path,
                            std::string body = {});
  // The same, but whatever is not 2xx is an error, too: kInvalid.
  Result<HttpResponse> Demand(Effect effect, std::string method, std::string_view path,
                              std::string body = {});

  Runtime& runtime() { return runtime_; }
  Log& log() { return log_; }

 private:
  ElasticClient(const ElasticsearchOptions& options, Runtime& runtime, Log& log);
  Result<std::unique_ptr<HttpClient>> Take();
  void PutBack(std::unique_ptr<HttpClient> connection);
  Result<HttpResponse> Attempt(const HttpClientRequest& request);
  Error Judge(Effect effect, Error error, bool& unknown) const;

  const HttpClientOptions http_;
  const Duration timeout_, patience_with_reads_, patience_with_writes_;
  Runtime& runtime_;
  Log& log_;
  std::string base_;           // of every URL, with a slash at its end
  std::string authorization_;  // empty: none
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> idle_;
};

}  // namespace saffron
