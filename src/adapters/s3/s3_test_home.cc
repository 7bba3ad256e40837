#include "adapters/s3/s3_test_home.h"

#include <cstdlib>

#include "base/sha256.h"

namespace saffron {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

S3TestServer Shared(const char* name, const char* access_key, const char* secret_key) {
  RealServer* server = SharedServer(name);
  if (server == nullptr) return {};
  return {server->address(), {access_key, secret_key, ""}};
}

}  // namespace

S3TestServer TestMinio() {
  const std::string endpoint = Environment("MINIO_ENDPOINT_URL");
  if (!endpoint.empty()) {
    return {endpoint, {Environment("MINIO_ACCESS_KEY"), Environment("MINIO_SECRET_KEY"), ""}};
  }
  return Shared("minio", "minioadmin", "minioadmin123");
}

S3TestServer TestRadosgw() { return Shared("radosgw", "AKIDTEST", "secretTEST123"); }

S3StoreOptions OptionsFor(const S3TestServer& server) {
  static ThreadRuntime runtime;
  S3StoreOptions options;
  options.endpoint_url = server.endpoint;
  options.credentials = server.credentials;
  options.bucket = "saffron-test-" + runtime.NewUuid().ToString();
  return options;
}

int SendTo(const S3StoreOptions& options, const std::string& method, const std::string& target,
           const std::string& body) {
  const SigV4Signer signer(options.credentials, options.region, "s3");
  ThreadRuntime runtime;
  auto client = HttpClient::Open({});
  HttpClientRequest request{method, options.endpoint_url + "/" + target, {}, body};
  request.headers.Add("X-Amz-Content-Sha256", Sha256Hex(body));
  if (!client.ok() || !signer.Sign(request, runtime.WallNow()).ok()) return 0;
  auto response = (*client)->Do(request, seconds(10));
  return response.ok() ? response->status : 0;
}

std::unique_ptr<LoopbackProxy> ProxyOf(const S3TestServer& server) {
  const std::string target = server.endpoint.substr(server.endpoint.find("//") + 2);
  auto proxy = LoopbackProxy::Start(target, LoopbackProxy::Protocol::kHttp);
  EXPECT_TRUE(proxy.ok()) << proxy.error().ToString();
  return proxy.ok() ? std::move(*proxy) : nullptr;
}

}  // namespace saffron
