// What a person sees while a load runs: a bar with rate and time left on a terminal, else a plain
// line every few seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "base/runtime.h"

namespace saffron {

struct ProgressState {
  double share = 0;        // in [0, 1]
  std::uint64_t rows = 0;  // so far
};

// "[#####-----]  50%  12,345 rows  4,321/s  0:07 left"
std::string ProgressText(const std::string& what, const ProgressState& state, double elapsed_s,
                         bool terminal);
// "1,234,567"
std::string Grouped(std::uint64_t number);

// Prints on its own task from construction to Finish. The stream, and what `state` reads, outlive
// it.
class ProgressPrinter {
 public:
  struct Options {
    std::string what;
    bool terminal = false;
    bool quiet = false;
  };
  ProgressPrinter(Runtime& runtime, std::ostream& out, Options options,
                  std::function<ProgressState()> state);
  ~ProgressPrinter();
  // Prints the last state and ends.
  void Finish();
  double elapsed_s() const;

 private:
  void Run();
  void Print();

  Runtime& runtime_;
  std::ostream& out_;
  const Options options_;
  const std::function<ProgressState()> state_;
  const Instant start_;
  const std::unique_ptr<Condition> condition_;
  bool finished_ = false;
  std::unique_ptr<Task> task_;
};

}  // namespace saffron
