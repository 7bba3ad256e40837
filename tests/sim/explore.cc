#include "tests/sim/explore.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/sim/append_history.h"
#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;

// A worker tells, a line each: "begin SEED", "fail SEED", and behind each history that is fine its
// counts. The pipe is its own, so that no line is cut by another's.
void Say(int file, const std::string& line) {
  if (write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(1);
}

[[noreturn]] void Work(const ExploreOptions& options, unsigned worker, int file) {
  for (std::uint64_t i = worker; options.seeds == 0 || i < options.seeds; i += options.jobs) {
    const std::uint64_t seed = options.first_seed + i;
    Say(file, "begin " + std::to_string(seed) + "\n");
    HistoryCounts counts;
    const HistoryResult result = RunSeed(options.world, {seed, options.words}, &counts);
    if (!result.violations.empty()) {
      Say(file, "fail " + std::to_string(seed) + "\n");
      _exit(0);
    }
    Say(file, EncodeCounts(counts) + "\n");
  }
  _exit(0);
}

class Workers {
 public:
  explicit Workers(const ExploreOptions& options) : options_(options) {
    for (unsigned worker = 0; worker < options.jobs; ++worker) Start(worker);
  }
  ~Workers() {
    for (const Worker& worker : workers_) {
      kill(worker.process, SIGKILL);
      waitpid(worker.process, nullptr, 0);
      close(worker.file);
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // True: goes on.
  bool Listen(Explored& explored) {
    std::vector<pollfd> files;
    for (const Worker& worker : workers_) {
      if (!worker.ended) files.push_back({worker.file, POLLIN, 0});
    }
    if (files.empty()) return false;
    poll(files.data(), files.size(), 200);
    for (Worker& worker : workers_) {
      if (!worker.ended) Hear(worker, explored);
    }
    return !explored.failed;
  }

 private:
  struct Worker {
    pid_t process = 0;
    int file = -1;
    std::string text;                   // of a line that is not whole yet
    std::optional<std::uint64_t> seed;  // under way
    Clock::time_point begun;
    bool ended = false;
  };

  void Start(unsigned number) {
    int ends[2];
    SAFFRON_ASSERT(pipe(ends) == 0);
    const pid_t child = fork();
    SAFFRON_ASSERT(child >= 0);
    if (child == 0) {
      close(ends[0]);
      Work(options_, number, ends[1]);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    workers_.push_back({child, ends[0], {}, {}, Clock::now(), false});
  }

  void Hear(Worker& worker, Explored& explored) {
    char buffer[8192];
    while (true) {
      const ssize_t got = read(worker.file, buffer, sizeof(buffer));
      if (got <= 0) {
        worker.ended = got == 0;
        break;
      }
      worker.text.append(buffer, static_cast<std::size_t>(got));
    }
    std::size_t end;
    while ((end = worker.text.find('\n')) != std::string::npos) {
      TakeLine(worker, worker.text.substr(0, end), explored);
      worker.text.erase(0, end + 1);
    }
    // It died of its history, or does not come to its end.
    const bool hangs = Clock::now() - worker.begun > options_.one_history;
    if (worker.seed && (worker.ended || hangs) && !explored.failed) explored.failed = worker.seed;
  }

  static void TakeLine(Worker& worker, const std::string& line, Explored& explored) {
    if (line.starts_with("begin ")) {
      worker.seed = std::strtoull(line.c_str() + 6, nullptr, 10);
      worker.begun = Clock::now();
    } else if (line.starts_with("fail ")) {
      if (!explored.failed) explored.failed = worker.seed;
    } else {
      worker.seed.reset();
      explored.counts.Add(DecodeCounts(line));
    }
  }

  const ExploreOptions& options_;
  std::vector<Worker> workers_;
};

}  // namespace

std::optional<SimWorld> ParseSimWorld(const std::string& name) {
  for (SimWorld world : {SimWorld::kAppend, SimWorld::kEmbedded, SimWorld::kPipeline}) {
    if (NameOf(world) == name) return world;
  }
  return std::nullopt;
}

std::string_view NameOf(SimWorld world) {
  switch (world) {
    case SimWorld::kAppend: return "append";
    case SimWorld::kEmbedded: return "embedded";
    case SimWorld::kPipeline: return "pipeline";
  }
  return "";
}

HistoryResult RunPipeline(const PipelinePlan& plan, HistoryCounts* counts) {
  PipelineReport report = PipelineHistory(plan).Execute();
  if (counts != nullptr) *counts = std::move(report.counts);
  return {std::move(report.violations), report.trace_hash};
}

HistoryResult RunSeed(SimWorld world, const PlanLine& line, HistoryCounts* counts) {
  if (world == SimWorld::kPipeline) return RunPipeline(PlanOf(line).value(), counts);
  const bool servers = world == SimWorld::kAppend;
  RunReport report =
      History(servers ? OptionsFor(line.seed) : EmbeddedOptionsFor(line.seed)).Execute();
  if (counts != nullptr) {
    counts->histories = 1;
    counts->commands = report.log.commands;
    counts->outcomes = report.log.outcomes;
    counts->slots = report.log.slots;
    counts->acknowledged = report.told;
    counts->port_calls = report.faults.calls;
    for (const auto& [at, count] : report.faults.by_call) {
      counts->coverage[{at.first, std::string(FaultName(at.second))}] += count;
    }
  }
  return {std::move(report.violations), report.trace_hash};
}

Explored Explore(const ExploreOptions& options) {
  Explored explored;
  const Clock::time_point begun = Clock::now();
  Clock::time_point shown = begun;
  Workers workers(options);
  while (workers.Listen(explored)) {
    const Clock::time_point now = Clock::now();
    explored.took = now - begun;
    if (options.most.count() > 0 && now - begun >= options.most) break;
    if (!options.progress || now - shown < std::chrono::seconds(5)) continue;
    shown = now;
    std::printf("%s\n", TextOf(explored.counts, explored.took.count()).c_str());
    std::fflush(stdout);
  }
  explored.took = Clock::now() - begun;
  return explored;
}

}  // namespace saffron
