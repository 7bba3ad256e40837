// Requests to a TerminusDB server: credentials, bounded concurrency, and what an answer means.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/terminusdb/terminus_graph.h"
#include "net/http_client.h"

namespace saffron::terminus {

struct Answer {
  int status = 0;
  std::string body;
  std::string version;  // "branch:<commit>" or "commit:<commit>"; empty: none was sent
  std::string error;    // api:error/@type, without "api:"; empty: none was sent
};

// Any thread. Every request has a connection of its own: an idle one would hold a worker of the
// server for two seconds, and be closed under the next request.
class Client {
 public:
  static Result<std::unique_ptr<Client>> Open(TerminusGraphOptions options);

  const TerminusGraphOptions& options() const { return options_; }
  // "/api/{part}/{account}/{database}"
  std::string Path(std::string_view part, std::string_view database) const;

  // kInvalid: the server refuses user and key.
  Status CheckCredentials();
  // What changes nothing: repeated once when its answer is lost. Errors: kUnavailable, refused
  // credentials too. `version`: only if the head is still that one.
  Result<Answer> Read(std::string_view method, std::string path, std::string body,
                      std::string_view version = {});
  // Documents by id, or whatever `body` asks for, of the path of a database or of one commit.
  Result<Answer> ReadDocuments(const std::string& path, const std::string& body);
  // Sent once. Errors: kUnavailable: not applied, refused credentials too; kUnknownOutcome. Any
  // other 4xx is an answer, and so is every success.
  Result<Answer> Write(std::string_view method, std::string path, std::string body);

 private:
  explicit Client(TerminusGraphOptions options);
  struct Extra {
    std::string_view name, value;  // a header; no name: none
  };
  Result<Answer> Send(std::string_view method, const std::string& path, const std::string& body,
                      Extra extra, Duration timeout);
  Result<Answer> SendRead(std::string_view method, const std::string& path, const std::string& body,
                          Extra extra);
  Result<std::unique_ptr<HttpClient>> Borrow();
  void GiveBack(std::unique_ptr<HttpClient> http);

  const TerminusGraphOptions options_;
  std::string authorization_;  // in no message

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<HttpClient>> idle_;
  std::size_t lent_ = 0;
};

// An answer that the caller did not expect: kInternal with what the server said of it.
Error Unexpected(std::string_view doing, const Answer& answer);

}  // namespace saffron::terminus
