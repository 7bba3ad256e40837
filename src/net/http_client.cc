#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <mutex>

namespace saffron {
namespace {

// What curl's callbacks fill and read during one request.
constexpr curl_off_t kMostReserved = 8 << 20;  // whatever a server says that it will send

struct Exchange {
  const std::string& body;
  const HttpClient::OnChunk* on_chunk;
  const std::atomic<bool>& cancelled;
  std::size_t max_response_bytes;
  CURL* easy;
  HttpResponse response{.status = 0, .content_type = "", .headers = {}, .body = ""};
  std::size_t body_sent = 0;
  bool stopped_by_consumer = false;
  bool too_large = false;
};

struct SlistDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Slist = std::unique_ptr<curl_slist, SlistDeleter>;

bool AppendLine(Slist& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  (void)list.release();
  list.reset(longer);
  return true;
}

std::size_t ReadBody(char* to, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::size_t n = std::min(size * count, exchange.body.size() - exchange.body_sent);
  exchange.body.copy(to, n, exchange.body_sent);
  exchange.body_sent += n;
  return n;
}

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  std::string_view line(data, size * count);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // a new head: the one before was 1xx
    const std::size_t space = std::min(line.find(' '), line.size());
    int status = 0;
    std::from_chars(line.data() + std::min(space + 1, line.size()), line.data() + line.size(),
                    status);
    exchange.response.status = status;
    exchange.response.headers = {};
    return size * count;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  exchange.response.headers.Add(line.substr(0, colon), value);
  return size * count;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::string_view chunk(data, size * count);
  if (exchange.on_chunk != nullptr && exchange.response.status / 100 == 2) {
    if ((*exchange.on_chunk)(chunk)) return chunk.size();
    exchange.stopped_by_consumer = true;
    return 0;
  }
  if (chunk.size() > exchange.max_response_bytes - exchange.response.body.size()) {
    exchange.too_large = true;
    return 0;
  }
  if (exchange.response.body.empty()) {
    curl_off_t length = 0;  // -1: not told
    curl_easy_getinfo(exchange.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    exchange.response.body.reserve(
        static_cast<std::size_t>(std::clamp<curl_off_t>(length, 0, kMostReserved)));
  }
  exchange.response.body.append(chunk);
  return chunk.size();
}

int OnProgress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(context)->cancelled.load() ? 1 : 0;
}

long Milliseconds(Duration duration) {
  // 0 would mean "no limit".
  return std::max<long>(
      1, static_cast<long>(std::chrono::duration_cast<milliseconds>(duration).count()));
}

bool IsLoopbackUrl(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::string_view rest =
      std::string_view(url).substr(scheme == std::string::npos ? 0 : scheme + 3);
  for (const std::string_view host : {"127.", "localhost", "[::1]"}) {
    if (rest.starts_with(host)) return true;
  }
  return false;
}

bool IsCleanLine(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

struct HttpClient::Handle {
  CURL* easy = nullptr;
  char error[CURL_ERROR_SIZE] = "";

  ~Handle() { curl_easy_cleanup(easy); }

  // False only for an option this libcurl does not know: a defect of the build.
  template <class Value>
  void Set(CURLoption option, Value value) {
    SAFFRON_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK);
  }
  void SetBasics(const HttpClientOptions& options, const HttpClientRequest& request);
  void SetExchange(Exchange& exchange, const HttpClientRequest& request, const Slist& headers);
  Error Explain(CURLcode code, const Exchange& exchange);
};

void HttpClient::Handle::SetBasics(const HttpClientOptions& options,
                                   const HttpClientRequest& request) {
  Set(CURLOPT_ERRORBUFFER, error);
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_TCP_NODELAY, 1L);
  Set(CURLOPT_TCP_KEEPALIVE, 1L);
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_PATH_AS_IS, 1L);  // a signed path must arrive as it was signed
  Set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(options.connect_timeout));
  if (options.verify_tls == HttpClientOptions::VerifyTls::kNo) {
    Set(CURLOPT_SSL_VERIFYPEER, 0L);
    Set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!options.ca_file.empty()) Set(CURLOPT_CAINFO, options.ca_file.c_str());
  if (IsLoopbackUrl(request.url)) Set(CURLOPT_PROXY, "");
}

void HttpClient::Handle::SetExchange(Exchange& exchange, const HttpClientRequest& request,
                                     const Slist& headers) {
  Set(CURLOPT_URL, request.url.c_str());
  Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") {
    Set(CURLOPT_NOBODY, 1L);
  } else if (!request.body.empty() || request.method == "PUT" || request.method == "POST" ||
             request.method == "PATCH") {
    // Through a callback that cannot be rewound: curl repeats a request on a fresh connection when
    // a kept one dies before the answer, and then fails instead if body bytes had been sent.
    Set(CURLOPT_UPLOAD, 1L);
    Set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    Set(CURLOPT_READFUNCTION, &ReadBody);
    Set(CURLOPT_READDATA, &exchange);
  }
  Set(CURLOPT_HTTPHEADER, headers.get());
  Set(CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(CURLOPT_HEADERDATA, &exchange);
  Set(CURLOPT_WRITEFUNCTION, &OnBody);
  Set(CURLOPT_WRITEDATA, &exchange);
  Set(CURLOPT_NOPROGRESS, 0L);
  Set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
  Set(CURLOPT_XFERINFODATA, &exchange);
}

Error HttpClient::Handle::Explain(CURLcode code, const Exchange& exchange) {
  std::string message = error[0] != '\0' ? error : curl_easy_strerror(code);
  if (exchange.cancelled.load()) return Cancelled("HTTP request cancelled");
  if (exchange.too_large) return UnknownOutcome("HTTP response larger than allowed");
  // Before the code is looked at: when a kept connection dies curl connects again, and if that is
  // refused reports only the refusal, though the first attempt may have been received.
  long request_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  if (request_bytes > 0 || exchange.body_sent > 0) return UnknownOutcome("HTTP: " + message);
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return Invalid("HTTP: " + message);
  }
  return Unavailable("HTTP: " + message);
}

HttpClient::HttpClient(HttpClientOptions options)
    : options_(std::move(options)), handle_(std::make_unique<Handle>()) {}

HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Open(HttpClientOptions options) {
  static std::once_flag initialised;  // libcurl's own global state, once a process
  static CURLcode outcome = CURLE_OK;
  std::call_once(initialised, [] { outcome = curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (outcome != CURLE_OK) return Internal("libcurl does not start");
  std::unique_ptr<HttpClient> client(new HttpClient(std::move(options)));
  client->handle_->easy = curl_easy_init();
  if (client->handle_->easy == nullptr) return Internal("libcurl does not start");
  return client;
}

Result<HttpResponse> HttpClient::Do(const HttpClientRequest& request, Duration timeout) {
  if (timeout <= Duration::zero()) return Unavailable("HTTP: no time left");
  curl_easy_reset(handle_->easy);  // keeps connections
  handle_->Set(CURLOPT_TIMEOUT_MS, Milliseconds(timeout));
  return Perform(request, nullptr);
}

Result<HttpResponse> HttpClient::Stream(const HttpClientRequest& request, Duration quiet_timeout,
                                        const OnChunk& on_chunk) {
  curl_easy_reset(handle_->easy);
  handle_->Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  handle_->Set(CURLOPT_LOW_SPEED_TIME, std::max(1L, Milliseconds(quiet_timeout) / 1000));
  return Perform(request, &on_chunk);
}

Result<HttpResponse> HttpClient::Perform(const HttpClientRequest& request,
                                         const OnChunk* on_chunk) {
  if (cancelled_.load()) return Cancelled("HTTP client cancelled");
  if (request.method.empty() || request.method.find_first_of(" \r\n\t") != std::string::npos) {
    return Invalid("not an HTTP method: " + request.method);
  }
  Slist headers;
  // No waiting for "100 Continue", and no content type that the caller did not give.
  bool complete = AppendLine(headers, "Expect:") && AppendLine(headers, "Accept-Encoding:");
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto [name, value] = request.headers.At(i);
    if (name.empty() || !IsCleanLine(name) || !IsCleanLine(value))
      return Invalid("bad HTTP header");
    // curl sends a header without value only when it ends in a semicolon.
    const std::string line =
        value.empty() ? std::string(name) + ";" : std::string(name) + ": " + std::string(value);
    complete = complete && AppendLine(headers, line);
  }
  if (!complete) return Internal("out of memory for HTTP headers");
  Exchange exchange{.body = request.body,
                    .on_chunk = on_chunk,
                    .cancelled = cancelled_,
                    .max_response_bytes = options_.max_response_bytes,
                    .easy = handle_->easy};
  handle_->error[0] = '\0';
  handle_->SetBasics(options_, request);
  handle_->SetExchange(exchange, request, headers);
  const CURLcode code = curl_easy_perform(handle_->easy);
  if (code != CURLE_OK && !exchange.stopped_by_consumer) return handle_->Explain(code, exchange);
  if (const auto type = exchange.response.headers.Find("Content-Type")) {
    exchange.response.content_type = *type;
  }
  return std::move(exchange.response);
}

}  // namespace saffron
