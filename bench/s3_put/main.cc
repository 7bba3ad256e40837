// The store on S3 beside a bare libcurl loop that puts the same bytes to the same server under URLs
// signed beforehand: how much of the server's rate is left. Prints one JSON object.
//
//   MINIO_ACCESS_KEY=... MINIO_SECRET_KEY=... bench_s3_put ENDPOINT [THREADS] [SECONDS] [BYTES]
//
// Both sides take turns of a second, so that a noisy machine disturbs both.
#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/s3/s3_store.h"
#include "base/thread_runtime.h"
#include "bench/load/histogram.h"

namespace saffron {
namespace {

constexpr std::size_t kMostPutsATurn = 5'000;  // of a thread: URLs that are signed beforehand

struct Side {
  Histogram latency_ns;
  double seconds = 0;
};

// One thread's puts until `until`; false when one failed.
using PutLoop = std::function<bool(int thread, Instant until, Histogram& latency_ns)>;

class BareCurl {
 public:
  BareCurl(const S3StoreOptions& options, int threads, const std::string& bytes, Runtime& runtime)
      : signer_(options.credentials, options.region, "s3"),
        base_(options.endpoint_url + "/" + options.bucket + "/bare/"),
        bytes_(bytes),
        runtime_(runtime) {
    for (int i = 0; i < threads; ++i) handles_.push_back(curl_easy_init());
    urls_.resize(handles_.size());
  }
  ~BareCurl() {
    for (CURL* handle : handles_) curl_easy_cleanup(handle);
  }

  void SignUrls() {
    for (auto& urls : urls_) {
      while (urls.size() < kMostPutsATurn) {
        const std::string url = base_ + runtime_.NewUuid().ToString();
        urls.push_back(signer_.SignUrl("PUT", url, seconds(3'600), runtime_.WallNow()).value());
      }
    }
  }
  bool Loop(int thread, Instant until, Histogram& latency_ns) {
    CURL* handle = handles_[static_cast<std::size_t>(thread)];
    auto& urls = urls_[static_cast<std::size_t>(thread)];
    curl_slist* headers = curl_slist_append(nullptr, "If-None-Match: *");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, bytes_.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes_.size()));
    bool ok = true;
    for (Instant last = runtime_.Now(); ok && last < until && !urls.empty(); urls.pop_back()) {
      curl_easy_setopt(handle, CURLOPT_URL, urls.back().c_str());
      long status = 0;
      ok = curl_easy_perform(handle) == CURLE_OK &&
           curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
      const Instant now = runtime_.Now();
      latency_ns.Record(static_cast<std::uint64_t>((now - last).count()));
      last = now;
    }
    curl_slist_free_all(headers);
    return ok;
  }

 private:
  const SigV4Signer signer_;
  const std::string base_;
  const std::string& bytes_;
  Runtime& runtime_;
  std::vector<CURL*> handles_;
  std::vector<std::vector<std::string>> urls_;
};

// A turn of every thread.
bool Turn(Runtime& runtime, int threads, const PutLoop& loop, Side& side) {
  std::vector<Histogram> latencies(static_cast<std::size_t>(threads));
  std::atomic<bool> ok{true};
  const Instant begin = runtime.Now();
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      if (!loop(i, begin + seconds(1), latencies[static_cast<std::size_t>(i)])) ok = false;
    });
  }
  for (std::thread& thread : running) thread.join();
  side.seconds += std::chrono::duration<double>(runtime.Now() - begin).count();
  for (const Histogram& latency : latencies) side.latency_ns.Add(latency);
  return ok;
}

void Print(const char* name, const Side& side) {
  std::printf("\"%s\":{\"puts_per_s\":%.1f,\"p50_ms\":%.2f,\"p99_ms\":%.2f}", name,
              static_cast<double>(side.latency_ns.count()) / side.seconds,
              static_cast<double>(side.latency_ns.At(0.5)) / 1e6,
              static_cast<double>(side.latency_ns.At(0.99)) / 1e6);
}

int Main(int argc, char** argv) {
  const char* access_key = std::getenv("MINIO_ACCESS_KEY");
  const char* secret_key = std::getenv("MINIO_SECRET_KEY");
  if (argc < 2 || access_key == nullptr || secret_key == nullptr) {
    std::fputs(
        "Usage: MINIO_ACCESS_KEY=... MINIO_SECRET_KEY=... "
        "bench_s3_put ENDPOINT [THREADS] [SECONDS] [BYTES]\n",
        stderr);
    return 2;
  }
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const int turns = std::max(1, (argc > 3 ? std::atoi(argv[3]) : 10) / 2);
  const std::string bytes(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 600, 'x');
  ThreadRuntime runtime;
  Log log = Log::Discard();
  S3StoreOptions options;
  options.endpoint_url = argv[1];
  options.bucket = "saffron-bench-" + runtime.NewUuid().ToString();
  options.credentials = {access_key, secret_key, ""};
  auto store = S3Store::Open(options, runtime, log);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().ToString().c_str());
    return 1;
  }
  BareCurl bare(options, threads, bytes, runtime);
  const PutLoop bare_loop = [&](int thread, Instant until, Histogram& latency_ns) {
    return bare.Loop(thread, until, latency_ns);
  };
  const PutLoop store_loop = [&](int, Instant until, Histogram& latency_ns) {
    for (Instant last = runtime.Now(); last < until;) {
      if (!(*store)->PutIfAbsent("store/" + runtime.NewUuid().ToString(), bytes).ok()) return false;
      const Instant now = runtime.Now();
      latency_ns.Record(static_cast<std::uint64_t>((now - last).count()));
      last = now;
    }
    return true;
  };
  Side bare_side, store_side;
  for (int turn = 0; turn < turns; ++turn) {
    bare.SignUrls();
    if (!Turn(runtime, threads, bare_loop, bare_side) ||
        !Turn(runtime, threads, store_loop, store_side)) {
      std::fputs("bench_s3_put: a put failed\n", stderr);
      return 1;
    }
  }
  std::printf("{\"threads\":%d,\"bytes\":%zu,", threads, bytes.size());
  Print("bare_libcurl", bare_side);
  std::printf(",");
  Print("store", store_side);
  std::printf(",\"ratio\":%.3f}\n",
              (static_cast<double>(store_side.latency_ns.count()) / store_side.seconds) /
                  (static_cast<double>(bare_side.latency_ns.count()) / bare_side.seconds));
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) { return saffron::Main(argc, argv); }
