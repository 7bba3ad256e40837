// Small changes of a PipelinePlan, each a word: "clients=1", "without=3". A plan is its seed and
// the words applied to what the seed draws, in order; so a shrunk history fits into one line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/sim/pipeline_plan.h"

namespace saffron {

struct PlanLine {
  std::uint64_t seed = 1;
  std::vector<std::string> words;

  // Takes the place of an earlier word of that name, but for "without": each counts what is left.
  void Add(const std::string& word);
  std::string WordsText() const;  // with commas
};

// The words of "clients=1,late=0"; whether they mean something is seen when they are applied.
std::vector<std::string> SplitWords(std::string_view text);

// kInvalid: no such word.
Status ApplyWord(std::string_view word, PipelinePlan& plan);
Result<PipelinePlan> PlanOf(const PlanLine& line);

// Words that make the plan smaller, the boldest first.
std::vector<std::string> WordsThatShrink(const PipelinePlan& plan);
// How large a plan is: clients, requests, processes, disturbances, kinds and rates of faults.
std::uint64_t SizeOf(const PipelinePlan& plan);

}  // namespace saffron
