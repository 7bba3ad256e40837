// bench_elasticsearch URL [DOCUMENTS [ROUNDS [BULK]]]: the search index through its port beside a
// bare loader and bare queries with the same documents on the same node, in turns.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "adapters/elasticsearch/elasticsearch_index.h"
#include "base/random.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

constexpr int kQueries = 400;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

template <class T>
T Must(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "%s\n", result.error().ToString().c_str());
  std::exit(1);
}

// About 600 bytes, as an order of the example: ids, references, numbers, dates, a note.
std::string OrderJson(RandomBits& random, std::size_t number) {
  static const std::vector<std::string> kWords = {
      "pallet", "fragile", "express", "dock",  "invoice",  "late",    "customs",  "return",
      "cold",   "chain",   "north",   "south", "priority", "carrier", "manifest", "sealed"};
  const auto numbered = [&](std::uint32_t bound) { return std::to_string(random.Below(bound)); };
  std::string note;
  for (int i = 0; i < 24; ++i) note += kWords[random.Below(16)] + (i < 23 ? " " : "");
  static const std::vector<std::string> kStates = {"open", "picked", "packed", "shipped"};
  return R"({"order_id":"ORD-)" + std::to_string(number) + R"(","status":")" +
         kStates[random.Below(4)] + R"(","customer":"Customer/C-)" + numbered(20'000) +
         R"(","warehouse":"Warehouse/W-)" + numbered(40) + R"(","quantity":)" + numbered(500) +
         R"(,"amount":)" + numbered(9'000) + "." + std::to_string(10 + random.Below(90)) +
         R"(,"ordered_at":"2026-1)" + numbered(3) + "-1" + numbered(10) +
         R"(T08:30:00Z","promised":"2026-12-0)" + std::to_string(1 + random.Below(9)) +
         R"(","express":)" + (random.Below(2) == 0 ? "true" : "false") + R"(,"weight_kg":)" +
         numbered(90) + ".5" + R"(,"tags":["t)" + numbered(30) + R"(","t)" + numbered(30) +
         R"("],"contact":"contact)" + numbered(100'000) + R"(@example.com","note":")" + note +
         R"("})";
}

struct Rate {
  double documents = 0;  // a second
  double cpu_us = 0;     // of the node, each
};

class Bench {
 public:
  Bench(std::string url, std::size_t documents, std::size_t bulk)
      : url_(std::move(url)), count_(documents), bulk_(bulk) {
    http_ = Must(HttpClient::Open({}));
    ElasticsearchOptions options;
    options.url = url_;
    options.prefix = "bench";
    port_ = Must(ElasticsearchIndex::Open(options, runtime_, log_));
    RandomBits random(1);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      SearchDocument document;
      document.key = KeyOf(i);
      document.version = SequenceNumber(1);
      document.lifecycle = Lifecycle::kPresent;
      document.scope = {SequenceNumber(1), SequenceNumber(2)};
      document.updated_ms = 1'700'000'000'000;
      document.document = OrderJson(random, i);
      bytes += document.document.size();
      documents_.push_back(std::move(document));
    }
    std::printf("%zu documents of %zu bytes, %zu a bulk\n", count_, bytes / count_, bulk_);
  }

  // Documents a second into a fresh index.
  Rate Bare() {
    Ask("DELETE", "bench-bare?ignore_unavailable=true");
    return Load([this](std::size_t from, std::size_t to) {
      std::string body;
      for (std::size_t i = from; i < to; ++i) {
        body += R"({"index":{"_id":")" + documents_[i].key.id +
                R"(","version":1,"version_type":"external"}})" + "\n" + documents_[i].document +
                "\n";
      }
      const std::string answer = Ask("POST", "bench-bare/_bulk", body);
      if (answer.find(R"("errors":false)") == std::string::npos) {
        std::fprintf(stderr, "%.300s\n", answer.c_str());
        std::exit(1);
      }
    });
  }
  // A database that the index does not have yet, as it is filled by the projection.
  Rate Live() {
    db_ = "bench-" + std::to_string(++rounds_);
    for (std::size_t i = 0; i < count_; ++i) documents_[i].key = KeyOf(i);
    return Load([this](std::size_t from, std::size_t to) {
      Write(*port_, from, to);
      if (!port_->Refresh().ok()) std::exit(1);
    });
  }
  // A generation beside it, until it is live.
  Rate Rebuild() {
    auto next = Must(port_->NewGeneration());
    const Rate rate = Load([&](std::size_t from, std::size_t to) { Write(*next, from, to); });
    if (!next->Refresh().ok() || !port_->Activate(*next).ok()) std::exit(1);
    return rate;
  }

  void Searches() {
    Ask("POST", "bench-bare/_refresh");
    SearchQuery query;
    query.scope = {db_, "main", SequenceNumber(1), {{"Order", SequenceNumber(2)}}};
    query.class_id = "Order";
    RandomBits random(2);
    std::vector<double> ours, bare, ours_sorted, bare_sorted;
    for (int i = 0; i < kQueries; ++i) {
      const std::string customer = "Customer/C-" + std::to_string(random.Below(20'000));
      query.text = "express customs";
      query.sort = "";
      query.filters = {{"warehouse",
                        FilterOp::kEq,
                        {"\"Warehouse/W-" + std::to_string(random.Below(40)) + "\""}}};
      ours.push_back(Timed([&] { Must(port_->Search(query)); }));
      const std::string filter =
          R"({"query":{"bool":{"filter":[{"match":{"note":{"query":)"
          R"("express customs","operator":"and"}}},{"term":{"warehouse.keyword":)" +
          query.filters.front().values.front() + "}}]}},\"size\":51,\"sort\":[";
      bare.push_back(Timed([&] {
        Ask("POST", "bench-bare/_search?track_total_hits=false",
            filter + R"({"order_id.keyword":"asc"}]})");
      }));
      query.text = "";
      query.sort = "-quantity";
      ours_sorted.push_back(Timed([&] { Must(port_->Search(query)); }));
      bare_sorted.push_back(Timed([&] {
        Ask("POST", "bench-bare/_search?track_total_hits=false",
            R"({"query":{"bool":{"filter":[{"term":{"warehouse.keyword":)" +
                query.filters.front().values.front() +
                R"(}}]}},"size":51,"sort":[{"quantity":"desc"},{"order_id.keyword":"asc"}]})");
      }));
    }
    Print("words and a filter, by id: port", ours);
    Print("words and a filter, by id: bare", bare);
    Print("a filter, by a number: port", ours_sorted);
    Print("a filter, by a number: bare", bare_sorted);
  }

  void CleanUp() {
    Ask("DELETE", "bench-bare");
    auto next = Must(port_->NewGeneration());
    if (!port_->Activate(*next).ok()) std::exit(1);
  }

 private:
  double Timed(const std::function<void()>& body) {
    const Instant started = runtime_.Now();
    body();
    return Seconds(runtime_.Now() - started) * 1000;
  }
  // What the whole node has used until now: on a machine with other work the better measure.
  double NodeCpuMs() {
    const std::string stats =
        Ask("GET", "_nodes/_local/stats/process?filter_path=nodes.*.process.cpu.total_in_millis");
    const std::size_t at = stats.find("total_in_millis\":");
    return at == std::string::npos ? 0 : std::atof(stats.c_str() + at + 17);
  }
  Rate Load(const std::function<void(std::size_t, std::size_t)>& send) {
    const double cpu = NodeCpuMs();
    const double ms = Timed([&] {
      for (std::size_t at = 0; at < count_; at += bulk_) send(at, std::min(at + bulk_, count_));
    });
    const double count = static_cast<double>(count_);
    return {count / ms * 1000, (NodeCpuMs() - cpu) * 1000 / count};
  }
  void Write(SearchIndex& index, std::size_t from, std::size_t to) {
    Must(index.Write({documents_.begin() + static_cast<std::ptrdiff_t>(from),
                      documents_.begin() + static_cast<std::ptrdiff_t>(to)}));
  }
  AggregateKey KeyOf(std::size_t number) const {
    return AggregateKey::Instance(db_, "main", "Order", "ORD-" + std::to_string(number));
  }
  std::string Ask(std::string method, const std::string& path, std::string body = {}) {
    HttpClientRequest request;
    request.method = std::move(method);
    request.url = url_ + "/" + path;
    if (!body.empty()) request.headers.Add("Content-Type", "application/json");
    request.body = std::move(body);
    return Must(http_->Do(request, seconds(60))).body;
  }
  static void Print(const char* what, std::vector<double>& ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("%-34s p50 %6.2f ms  p99 %6.2f ms\n", what, ms[ms.size() / 2],
                ms[ms.size() * 99 / 100]);
  }

  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  const std::string url_;
  const std::size_t count_;
  const std::size_t bulk_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<SearchIndex> port_;
  std::vector<SearchDocument> documents_;
  std::string db_ = "bench-0";
  int rounds_ = 0;
};

int Run(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::size_t documents = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 20'000;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  const std::size_t bulk = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 500;  // the projection's
  Bench bench(argv[1], documents, bulk);
  bench.Bare();  // the engine compiles its code
  bench.Rebuild();
  for (int round = 0; round < rounds; ++round) {
    const Rate bare = bench.Bare(), live = bench.Live(), rebuild = bench.Rebuild();
    std::printf("documents/s (us of the node's CPU): bare %.0f (%.0f)", bare.documents,
                bare.cpu_us);
    for (const Rate& rate : {live, rebuild}) {
      std::printf("  %s %.0f (%.0f): %.2f (%.2f)", "port", rate.documents, rate.cpu_us,
                  rate.documents / bare.documents, bare.cpu_us / rate.cpu_us);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  bench.Searches();
  bench.CleanUp();
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) { return saffron::Run(argc, argv); }
