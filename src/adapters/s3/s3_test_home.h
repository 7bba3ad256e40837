// Real S3 servers for the tests of this folder.
#pragma once

#include <string>

#include "adapters/s3/s3_store.h"
#include "base/thread_runtime.h"
#include "testing/servers/loopback_proxy.h"
#include "testing/servers/real_server.h"

namespace saffron {

struct S3TestServer {
  std::string endpoint;  // empty: cannot be had
  AwsCredentials credentials;
};

// MINIO_ENDPOINT_URL with MINIO_ACCESS_KEY and MINIO_SECRET_KEY if they are set, else a MinIO for
// the whole program; buckets made there stay.
S3TestServer TestMinio();
S3TestServer TestRadosgw();

// For a bucket that nobody used before.
S3StoreOptions OptionsFor(const S3TestServer& server);

// One signed request, once; its status.
int SendTo(const S3StoreOptions& options, const std::string& method, const std::string& target,
           const std::string& body = "");

// A relay in front of it.
std::unique_ptr<LoopbackProxy> ProxyOf(const S3TestServer& server);

}  // namespace saffron
