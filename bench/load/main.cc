// Load on an HTTP server from one thread, cheap enough to share the machine with the server.
//
//   saffron_load_generator live|get|create|bulk --port N [--clients N] [--seconds S] ...
//
// Prints one JSON object: requests and answers by status in the measured time, rates, latencies.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "bench/load/generator.h"
#include "bench/load/workload.h"

namespace saffron {
namespace {

constexpr const char* kUsage =
    "Usage: saffron_load_generator SCENARIO --port N [OPTIONS]\n"
    "  live    GET /health/live\n"
    "  get     GET one instance by id, keys --first .. --first + --keys - 1 in turn\n"
    "  create  POST one instance a request, keys from --first on\n"
    "  bulk    POST --items instances (100) a request, keys from --first on\n"
    "  --host A  --clients N  --seconds S  --warmup S  --requests N (end after N, not S)\n"
    "  --rate R (offered requests a second)  --window N (also report each N items)\n"
    "  --db NAME  --class NAME  --wait S (create: answer when COMPLETED)\n";

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string Escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? ' '
                                                                                               : c);
  }
  return out;
}

void PrintJson(const WorkloadOptions& workload, const GeneratorOptions& options,
               const GeneratorResult& result, std::size_t items) {
  const double rate = result.seconds > 0 ? static_cast<double>(result.ok()) / result.seconds : 0;
  std::printf("{\"scenario\":\"%s\",\"clients\":%zu,\"seconds\":%.3f,\"requests\":%llu,",
              workload.scenario.c_str(), options.clients, result.seconds,
              static_cast<unsigned long long>(result.requests()));
  std::printf("\"ok\":%llu,\"ok_per_s\":%.1f,\"items_per_s\":%.1f,",
              static_cast<unsigned long long>(result.ok()), rate,
              rate * static_cast<double>(items));
  std::printf("\"sent_in_all\":%llu,\"accepted_in_all\":%llu,\"broken\":%llu,\"late\":%llu,",
              static_cast<unsigned long long>(result.sent),
              static_cast<unsigned long long>(result.accepted),
              static_cast<unsigned long long>(result.broken),
              static_cast<unsigned long long>(result.late));
  std::printf("\"statuses\":{");
  const char* comma = "";
  for (const auto& [status, count] : result.statuses) {
    std::printf("%s\"%d\":%llu", comma, status, static_cast<unsigned long long>(count));
    comma = ",";
  }
  auto us = [&](double share) { return static_cast<double>(result.latency_ns.At(share)) / 1e3; };
  std::printf("},\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f},", us(0.5),
              us(0.9), us(0.99), static_cast<double>(result.latency_ns.max()) / 1e3);
  std::printf("\"window_items_per_s\":[");
  comma = "";
  for (double seconds : result.window_seconds) {
    std::printf("%s%.0f", comma, static_cast<double>(options.window) / seconds);
    comma = ",";
  }
  std::printf("],\"cpu_seconds\":%.2f,\"first_refusal\":\"%s\"}\n", CpuSeconds(),
              Escaped(result.first_refusal).c_str());
}

// False: an option that does not exist, or without a value.
bool ReadOptions(int argc, char** argv, WorkloadOptions& workload, GeneratorOptions& options) {
  using Set = std::function<void(const char*)>;
  auto number = [](auto& field) -> Set {
    return [&field](const char* text) {
      field = static_cast<std::remove_reference_t<decltype(field)>>(std::strtod(text, nullptr));
    };
  };
  auto word = [](std::string& field) -> Set {
    return [&field](const char* text) { field = text; };
  };
  const std::map<std::string, Set> known = {
      {"--host", word(options.host)},
      {"--port", number(options.port)},
      {"--clients", number(options.clients)},
      {"--seconds", number(options.seconds)},
      {"--warmup", number(options.warmup_s)},
      {"--requests", number(options.requests)},
      {"--rate", number(options.rate)},
      {"--window", number(options.window)},
      {"--db", word(workload.db)},
      {"--class", word(workload.class_id)},
      {"--first", number(workload.first)},
      {"--keys", number(workload.keys)},
      {"--items", number(workload.items)},
      {"--wait", number(workload.wait_s)},
  };
  for (int i = 2; i < argc; i += 2) {
    auto found = known.find(argv[i]);
    if (found == known.end() || i + 1 == argc) return false;
    found->second(argv[i + 1]);
  }
  return options.port != 0 && options.clients > 0 && workload.items > 0;
}

int Run(int argc, char** argv) {
  WorkloadOptions workload_options;
  GeneratorOptions options;
  workload_options.scenario = argc > 1 ? argv[1] : "";
  if (!ReadOptions(argc, argv, workload_options, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  workload_options.host = options.host + ":" + std::to_string(options.port);
  std::optional<Workload> workload = Workload::Make(workload_options);
  if (!workload) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Generator generator(options, *workload);
  if (!generator.Run()) {
    std::fprintf(stderr, "no connection to %s\n", workload_options.host.c_str());
    return 1;
  }
  PrintJson(workload_options, options, generator.result(), workload->items());
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) { return saffron::Run(argc, argv); }
