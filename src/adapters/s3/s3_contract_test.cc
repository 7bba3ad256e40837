// The contract of ObjectStore on real servers, and what only S3 has: pages, addressing, metrics.
#include <gmock/gmock.h>

#include <thread>

#include "adapters/s3/s3_test_home.h"
#include "testing/contract/object_store_contract.h"

namespace saffron {
namespace {

class S3Home final : public ObjectStoreHome {
 public:
  explicit S3Home(S3StoreOptions options) : options_(std::move(options)) {}
  std::shared_ptr<ObjectStore> Open() override {
    auto store = S3Store::Open(options_, runtime_, log_);
    if (!store.ok()) std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
    SAFFRON_ASSERT(store.ok());
    return std::move(*store);
  }

 private:
  const S3StoreOptions options_;
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

INSTANTIATE_OBJECT_STORE_CONTRACT(Minio, []() -> std::shared_ptr<ObjectStoreHome> {
  const S3TestServer server = TestMinio();
  if (server.endpoint.empty()) return nullptr;
  return std::make_shared<S3Home>(OptionsFor(server));
});

// In a bucket with versioning it ignores conditions, so its operator makes the bucket without.
INSTANTIATE_OBJECT_STORE_CONTRACT(Radosgw, []() -> std::shared_ptr<ObjectStoreHome> {
  const S3TestServer server = TestRadosgw();
  if (server.endpoint.empty()) return nullptr;
  S3StoreOptions options = OptionsFor(server);
  EXPECT_EQ(SendTo(options, "PUT", options.bucket), 200);
  return std::make_shared<S3Home>(std::move(options));
});

class S3RealTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (TestMinio().endpoint.empty()) SAFFRON_NO_SERVER("minio");
  }
  std::unique_ptr<S3Store> Open(const S3StoreOptions& options) {
    auto store = S3Store::Open(options, runtime_, log_);
    EXPECT_TRUE(store.ok()) << store.error().ToString();
    return store.ok() ? std::move(*store) : nullptr;
  }

  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

TEST_F(S3RealTest, ListsMoreThanAPage) {
  auto store = Open(OptionsFor(TestMinio()));
  ASSERT_NE(store, nullptr);
  constexpr int kKeys = 1'050;
  std::vector<std::thread> writers;
  for (int t = 0; t < 8; ++t) {
    writers.emplace_back([&, t] {
      for (int i = t; i < kKeys; i += 8) {
        EXPECT_TRUE(store->Put("k/" + std::to_string(10'000 + i), "").ok());
      }
    });
  }
  for (auto& writer : writers) writer.join();
  auto keys = store->List("k/", "", 5'000);
  ASSERT_TRUE(keys.ok()) << keys.error().ToString();
  ASSERT_EQ(keys->size(), std::size_t{kKeys});
  EXPECT_EQ(keys->back(), "k/11049");
  EXPECT_EQ(store->List("k/", "", 1'020)->size(), 1'020u);
}

TEST_F(S3RealTest, ACallIsOneRequest) {
  Metrics metrics;
  S3Metrics s3_metrics(metrics);
  S3StoreOptions options = OptionsFor(TestMinio());
  auto proxy = ProxyOf(TestMinio());
  options.endpoint_url = "http://" + proxy->address();
  options.metrics = &s3_metrics;
  auto store = Open(options);
  ASSERT_NE(store, nullptr);
  auto requests_of = [&](const std::function<bool()>& call) {
    const int before = proxy->requests();
    EXPECT_TRUE(call());
    return proxy->requests() - before;
  };
  EXPECT_EQ(requests_of([&] { return store->PutIfAbsent("a", "1").ok(); }), 1);
  EXPECT_EQ(requests_of([&] { return store->PutIfAbsent("a", "1").Is(Code::kConflict); }), 1);
  const std::string etag = store->Get("a")->etag;
  EXPECT_EQ(requests_of([&] { return store->PutIfMatch("a", "2", etag).ok(); }), 1);
  EXPECT_EQ(requests_of([&] { return store->Put("a", "3").ok(); }), 1);
  EXPECT_EQ(requests_of([&] { return store->Get("a").ok(); }), 1);
  EXPECT_EQ(requests_of([&] { return store->GetRange("a", 0, 1).ok(); }), 1);
  EXPECT_EQ(requests_of([&] { return store->List("", "", 1'000).ok(); }), 1);
  EXPECT_EQ(proxy->connections(), 1);
  EXPECT_THAT(metrics.Expose(), testing::HasSubstr("saffron_s3_repeated_total 0"));
}

TEST_F(S3RealTest, VirtualAddressing) {
  const S3TestServer server = TestRadosgw();  // which takes buckets below "localhost" for hosts
  if (server.endpoint.empty()) SAFFRON_NO_SERVER("radosgw");
  S3StoreOptions options = OptionsFor(server);
  options.endpoint_url = "http://localhost" + server.endpoint.substr(server.endpoint.rfind(':'));
  options.addressing = S3Addressing::kVirtual;
  auto store = Open(options);
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(store->PutIfAbsent("a/b", "x").ok());
  EXPECT_EQ(store->List("a", "", 10)->size(), 1u);
  options.addressing = S3Addressing::kPath;
  EXPECT_EQ(Open(options)->Get("a/b")->bytes, "x");
}

}  // namespace
}  // namespace saffron
