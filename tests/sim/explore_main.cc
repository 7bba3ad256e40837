// The program behind ./dev sim: random histories until one fails; then the line that repeats it,
// a smaller history that fails in the same way, and its story.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/sim/explore.h"
#include "tests/sim/pipeline_history.h"
#include "tests/sim/shrink.h"
#include "tests/sim/story.h"

namespace saffron {
namespace {

struct Arguments {
  std::string world = "pipeline";
  std::string mutation;  // for the line that repeats it; SAFFRON_MUTATION has its number
  std::string words;
  std::string coverage;  // the file for the table of faults and steps
  double minutes = 0;
  std::uint64_t seeds = 0, seed = 0;
  unsigned jobs = 1;
  int shrink_runs = 600;
};

std::string RepeatLine(const Arguments& given, const PlanLine& line) {
  std::string text = "./dev sim --seed " + std::to_string(line.seed);
  if (given.world != "pipeline") text += " --world " + given.world;
  if (!given.mutation.empty()) text += " --mutation " + given.mutation;
  if (!line.words.empty()) text += " --with " + line.WordsText();
  return text;
}

void TellResult(const HistoryResult& result) {
  std::printf("%s, trace %016llx\n", result.violations.empty() ? "no violation" : "FAILED",
              static_cast<unsigned long long>(result.trace_hash));
  std::fflush(stdout);
}

// In a process of its own, since it may abort; then it tells at once, without knowing the end.
void TellStory(const PipelinePlan& plan, bool aborts) {
  std::fflush(stdout);
  RunApart(
      [&] {
        PipelineHistory history(plan);
        Story story(history.world(), aborts ? Story::Telling::kAtOnce : Story::Telling::kAtTheEnd);
        const PipelineReport report = history.Execute();
        if (!aborts) std::fputs(story.Tell(report.violations).c_str(), stdout);
        std::fflush(stdout);
        return HistoryResult();
      },
      600);
}

HistoryResult RunPlanApart(const PipelinePlan& plan) {
  return RunApart([&plan] { return RunPipeline(plan, nullptr); }, 60);
}

int Repeat(const Arguments& given, SimWorld world) {
  if (world != SimWorld::kPipeline) {
    const HistoryResult result = RunApart(
        [&] {
          return RunSeed(world, {given.seed, {}}, nullptr);
        },
        60);
    for (const std::string& violation : result.violations) std::printf("%s\n", violation.c_str());
    TellResult(result);
    return result.violations.empty() ? 0 : 1;
  }
  const Result<PipelinePlan> plan = PlanOf({given.seed, SplitWords(given.words)});
  if (!plan.ok()) {
    std::fprintf(stderr, "%s\n", plan.error().message().c_str());
    return 2;
  }
  const HistoryResult result = RunPlanApart(*plan);
  TellStory(*plan, result.trace_hash == 0);
  TellResult(result);
  return result.violations.empty() ? 0 : 1;
}

int Fail(const Arguments& given, SimWorld world, std::uint64_t seed) {
  const PlanLine line{seed, SplitWords(given.words)};
  const HistoryResult result = RunApart([&] { return RunSeed(world, line, nullptr); }, 120);
  if (result.violations.empty()) {
    std::printf("seed %llu failed and does not fail again: is something not drawn from it?\n",
                static_cast<unsigned long long>(seed));
    return 1;
  }
  std::printf("caught at seed %llu: %s\nRepeat with: %s\n", static_cast<unsigned long long>(seed),
              result.violations.front().c_str(), RepeatLine(given, line).c_str());
  std::fflush(stdout);
  if (world != SimWorld::kPipeline || given.shrink_runs == 0) return 1;
  const Shrunk shrunk =
      Shrink(line, result, RunPlanApart, {.most_runs = given.shrink_runs, .schedules = 12});
  std::printf("\nShrunk from %llu to %llu in %d histories\n\n",
              static_cast<unsigned long long>(SizeOf(PlanOf(line).value())),
              static_cast<unsigned long long>(SizeOf(shrunk.plan)), shrunk.runs);
  TellStory(shrunk.plan, shrunk.result.trace_hash == 0);
  TellResult(shrunk.result);
  std::printf("Repeat with: %s\n", RepeatLine(given, shrunk.line).c_str());
  return 1;
}

int ExploreAll(const Arguments& given, SimWorld world) {
  ExploreOptions options;
  options.world = world;
  options.first_seed = given.seed > 0 ? given.seed : 1;
  options.seeds = given.seeds;
  options.words = SplitWords(given.words);
  if (const auto plan = PlanOf({options.first_seed, options.words}); !plan.ok()) {
    std::fprintf(stderr, "%s\n", plan.error().message().c_str());
    return 2;
  }
  options.jobs = std::max(given.jobs, 1u);
  const bool bounded = given.seeds > 0 || given.minutes > 0;
  options.most = std::chrono::seconds(bounded ? static_cast<int>(given.minutes * 60) : 120);
  const Explored explored = Explore(options);
  std::printf("%s\n", TextOf(explored.counts, explored.took.count()).c_str());
  if (!given.coverage.empty()) {
    std::ofstream(given.coverage) << CoverageTables(explored.counts.coverage);
    for (const std::string& cell : EmptyCells(explored.counts.coverage)) {
      std::printf("never: %s\n", cell.c_str());
    }
  }
  if (explored.failed) return Fail(given, world, *explored.failed);
  std::printf("no violation\n");
  return 0;
}

constexpr char kUsage[] =
    "Usage: explore [--minutes N] [--seeds N] [--seed S] [--jobs J] [--world WORLD]\n"
    "               [--mutation NAME] [--with WORDS] [--shrink-runs N] [--coverage FILE]\n"
    "Random histories from seed S (1) on, until one fails, for N minutes or seeds (2 minutes).\n"
    "With --seed alone that one history, with its story. WORDS change every plan (clients=4); "
    "FILE\n"
    "gets the table of faults and steps. WORLD: append, embedded or pipeline.\n"
    "SAFFRON_MUTATION breaks rules (of explore_mutants); NAME is what to call them.\n";

// False: it is not understood.
bool Parse(const std::vector<std::string>& words, Arguments& given) {
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return false;
    const std::string& name = words[i];
    const std::string& value = words[i + 1];
    const char* digits = value.c_str();
    if (name == "--world") {
      given.world = value;
    } else if (name == "--mutation") {
      given.mutation = value;
    } else if (name == "--with") {
      given.words = value;
    } else if (name == "--coverage") {
      given.coverage = value;
    } else if (name == "--minutes") {
      given.minutes = std::strtod(digits, nullptr);
    } else if (name == "--seeds") {
      given.seeds = std::strtoull(digits, nullptr, 10);
    } else if (name == "--seed") {
      given.seed = std::strtoull(digits, nullptr, 10);
    } else if (name == "--jobs") {
      given.jobs = static_cast<unsigned>(std::strtoul(digits, nullptr, 10));
    } else if (name == "--shrink-runs") {
      given.shrink_runs = std::atoi(digits);
    } else {
      return false;
    }
  }
  return ParseSimWorld(given.world).has_value();
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  saffron::Arguments given;
  if (!saffron::Parse({argv + 1, argv + argc}, given)) {
    std::fputs(saffron::kUsage, stderr);
    return 2;
  }
  const saffron::SimWorld world = *saffron::ParseSimWorld(given.world);
  const bool one = given.seed > 0 && given.seeds == 0 && given.minutes == 0;
  return one ? saffron::Repeat(given, world) : saffron::ExploreAll(given, world);
}
