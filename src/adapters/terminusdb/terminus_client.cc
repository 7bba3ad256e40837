#include "adapters/terminusdb/terminus_client.h"

#include <algorithm>
#include <utility>

#include "adapters/terminusdb/terminus_answers.h"
#include "net/url.h"

namespace saffron::terminus {

namespace {

constexpr std::size_t kMaxAnswerBytes = 512u << 20;  // of some millions of ids

std::string Base64(std::string_view text) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t count = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < count ? static_cast<unsigned char>(text[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=');
    }
  }
  return out;
}

std::string RefusedLogin(const Answer& answer) {
  if (answer.status == 401) {
    return "TerminusDB refuses the credentials: check TERMINUS_USER and TERMINUS_KEY";
  }
  if (answer.status == 403) {
    return "TerminusDB does not let TERMINUS_USER use the databases of TERMINUS_ACCOUNT";
  }
  return {};
}

}  // namespace

Error Unexpected(std::string_view doing, const Answer& answer) {
  std::string message =
      "TerminusDB: " + std::string(doing) + ": status " + std::to_string(answer.status);
  if (!answer.error.empty()) message += " " + answer.error;
  if (std::string said = MessageOf(answer.body); !said.empty()) message += ": " + said;
  return Internal(std::move(message));
}

Client::Client(TerminusGraphOptions options) : options_(std::move(options)) {
  authorization_ = "Basic " + Base64(options_.user + ":" + options_.key);
}

Result<std::unique_ptr<Client>> Client::Open(TerminusGraphOptions options) {
  // The URL itself is not quoted: somebody may have put a password into it.
  while (options.url.ends_with('/')) options.url.pop_back();
  const bool plain = options.url.starts_with("http://");
  if (!plain && !options.url.starts_with("https://")) {
    return Invalid("TERMINUS_SERVER_URL must start with http:// or https://");
  }
  const std::string_view host = std::string_view(options.url).substr(plain ? 7 : 8);
  if (host.empty() || host.find_first_of("@?#") != std::string_view::npos) {
    return Invalid(
        "TERMINUS_SERVER_URL must be a server's address alone; user and password go into "
        "TERMINUS_USER and TERMINUS_KEY");
  }
  if (options.account.empty()) return Invalid("TERMINUS_ACCOUNT is empty");
  if (options.user.empty() || options.user.find(':') != std::string::npos) {
    return Invalid("TERMINUS_USER is empty or has a colon in it");
  }
  if (options.database.empty() || options.database.find_first_of("|/") != std::string::npos) {
    return Invalid("the database name of the graph is empty or has '|' or '/' in it");
  }
  options.max_requests = std::max<std::size_t>(options.max_requests, 1);
  return std::unique_ptr<Client>(new Client(std::move(options)));
}

std::string Client::Path(std::string_view part, std::string_view database) const {
  return "/api/" + std::string(part) + "/" + PercentEncode(options_.account) + "/" +
         PercentEncode(database);
}

Result<std::unique_ptr<HttpClient>> Client::Borrow() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [&] { return lent_ < options_.max_requests; });
  ++lent_;
  if (!idle_.empty()) {
    auto http = std::move(idle_.back());
    idle_.pop_back();
    return http;
  }
  HttpClientOptions http;
  http.connect_timeout = options_.connect_timeout;
  http.max_response_bytes = kMaxAnswerBytes;
  http.ca_file = options_.ca_file;
  if (options_.verify_tls == TerminusGraphOptions::VerifyTls::kNo) {
    http.verify_tls = HttpClientOptions::VerifyTls::kNo;
  }
  auto opened = HttpClient::Open(std::move(http));
  if (!opened.ok()) --lent_;
  return opened;
}

void Client::GiveBack(std::unique_ptr<HttpClient> http) {
  std::lock_guard lock(mutex_);
  --lent_;
  idle_.push_back(std::move(http));
  returned_.notify_one();
}

Result<Answer> Client::Send(std::string_view method, const std::string& path,
                            const std::string& body, Extra extra, Duration timeout) {
  HttpClientRequest request;
  request.method = method;
  request.url = options_.url + path;
  request.headers.Add("Authorization", authorization_);
  request.headers.Add("Connection", "close");
  if (!extra.name.empty()) request.headers.Add(extra.name, extra.value);
  if (!body.empty()) {
    request.headers.Add("Content-Type", "application/json");
    request.body = body;
  }
  SAFFRON_ASSIGN(auto http, Borrow());
  Result<HttpResponse> response = http->Do(request, timeout);
  GiveBack(std::move(http));
  if (!response.ok()) return response.error().Within("TerminusDB");
  Answer answer;
  answer.status = response->status;
  answer.body = std::move(response->body);
  if (auto sent = response->headers.Find("Terminusdb-Data-Version")) answer.version = *sent;
  if (answer.status >= 400) answer.error = ErrorTypeOf(answer.body);
  return answer;
}

Result<Answer> Client::SendRead(std::string_view method, const std::string& path,
                                const std::string& body, Extra extra) {
  Result<Answer> answer = Send(method, path, body, extra, options_.read_timeout);
  if (answer.Is(Code::kUnknownOutcome)) {
    answer = Send(method, path, body, extra, options_.read_timeout);
  }
  if (answer.Is(Code::kUnknownOutcome)) return Unavailable(answer.error().message());
  if (!answer.ok()) return answer;
  if (std::string refused = RefusedLogin(*answer); !refused.empty()) return Unavailable(refused);
  if (answer->status >= 500) return Unavailable(Unexpected("read", *answer).message());
  return answer;
}

Status Client::CheckCredentials() {
  SAFFRON_ASSIGN(Answer answer, Send("GET", "/api/info", {}, {}, options_.read_timeout));
  if (std::string refused = RefusedLogin(answer); !refused.empty()) return Invalid(refused);
  if (answer.status != 200) return Unavailable(Unexpected("log in", answer).message());
  return Ok();
}

Result<Answer> Client::Read(std::string_view method, std::string path, std::string body,
                            std::string_view version) {
  const Extra extra = version.empty() ? Extra{} : Extra{"TerminusDB-Data-Version", version};
  return SendRead(method, path, body, extra);
}

Result<Answer> Client::ReadDocuments(const std::string& path, const std::string& body) {
  return SendRead("POST", path, body, {"X-HTTP-Method-Override", "GET"});
}

Result<Answer> Client::Write(std::string_view method, std::string path, std::string body) {
  Result<Answer> answer = Send(method, path, body, {}, options_.write_timeout);
  if (!answer.ok()) return answer;
  // A refused login is an outage for one who writes: no document is to blame for it.
  if (std::string refused = RefusedLogin(*answer); !refused.empty()) return Unavailable(refused);
  if (answer->status < 500) return answer;
  const std::string message = Unexpected("write", *answer).message();
  // It gave up after losing the race for the head: seen to have written nothing.
  if (message.find("Transaction retry count exceeded") != std::string::npos) {
    return Unavailable(message);
  }
  return UnknownOutcome(message);
}

}  // namespace saffron::terminus
