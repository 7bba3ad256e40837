#include "tests/sim/shrink.h"

namespace saffron {
namespace {

class Shrinker {
 public:
  Shrinker(Shrunk begin, const RunPlan& run, const ShrinkOptions& options)
      : best_(std::move(begin)),
        category_(CategoryOf(best_.result.violations.front())),
        run_(run),
        options_(options) {}

  Shrunk Run() {
    while (best_.runs < options_.most_runs && Step()) {
    }
    return std::move(best_);
  }

 private:
  // True: something was taken away.
  bool Step() {
    const std::vector<std::string> words = WordsThatShrink(best_.plan);
    for (std::uint64_t schedule = 0; schedule <= options_.schedules; ++schedule) {
      for (const std::string& word : words) {
        if (best_.runs >= options_.most_runs) return false;
        PlanLine line = best_.line;
        line.Add(word);
        if (Try(std::move(line), schedule)) return true;
      }
    }
    return false;
  }

  // With the best one's own schedule first.
  bool Try(PlanLine line, std::uint64_t schedule) {
    if (schedule > 0) line.Add("schedule=" + std::to_string(schedule));
    const PipelinePlan plan = *PlanOf(line);
    HistoryResult result = run_(plan);
    ++best_.runs;
    if (result.violations.empty() || CategoryOf(result.violations.front()) != category_) {
      return false;
    }
    best_.line = std::move(line);
    best_.plan = plan;
    best_.result = std::move(result);
    return true;
  }

  Shrunk best_;
  const std::string category_;
  const RunPlan& run_;
  const ShrinkOptions& options_;
};

}  // namespace

Shrunk Shrink(const PlanLine& line, const HistoryResult& result, const RunPlan& run,
              const ShrinkOptions& options) {
  return Shrinker({line, *PlanOf(line), result}, run, options).Run();
}

}  // namespace saffron
