#include "app/loader/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace saffron {
namespace {

std::string TimeText(double seconds_left) {
  const auto total =
      static_cast<std::uint64_t>(std::llround(std::clamp(seconds_left, 0.0, 359'999.0)));
  if (total >= 3600)
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

}  // namespace

std::string Grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string ProgressText(const std::string& what, const ProgressState& state, double elapsed_s,
                         bool terminal) {
  constexpr int kWidth = 24;
  double share = std::clamp(state.share, 0.0, 1.0);
  auto rate =
      static_cast<std::uint64_t>(elapsed_s > 0 ? static_cast<double>(state.rows) / elapsed_s : 0);
  std::string text = what + " ";
  if (terminal) {
    auto filled = static_cast<std::size_t>(share * kWidth);
    text.append("[" + std::string(filled, '#') + std::string(kWidth - filled, '-') + "] ");
  }
  text.append(
      fmt::format("{:3.0f}%  {} rows  {}/s", share * 100, Grouped(state.rows), Grouped(rate)));
  if (share >= 1) {
    text.append(fmt::format("  in {:.1f} s", elapsed_s));
  } else if (share > 0) {
    text.append("  " + TimeText(elapsed_s / share - elapsed_s) + " left");
  }
  return text;
}

ProgressPrinter::ProgressPrinter(Runtime& runtime, std::ostream& out, Options options,
                                 std::function<ProgressState()> state)
    : runtime_(runtime),
      out_(out),
      options_(std::move(options)),
      state_(std::move(state)),
      start_(runtime.Now()),
      condition_(runtime.NewCondition()) {
  if (!options_.quiet) task_ = runtime_.Spawn("progress", [this] { Run(); });
}

ProgressPrinter::~ProgressPrinter() { Finish(); }

double ProgressPrinter::elapsed_s() const {
  return std::chrono::duration<double>(runtime_.Now() - start_).count();
}

void ProgressPrinter::Print() {
  std::string text = ProgressText(options_.what, state_(), elapsed_s(), options_.terminal);
  // On a terminal each line covers the one before.
  if (options_.terminal) {
    out_ << '\r' << text << "\x1b[K" << std::flush;
  } else {
    out_ << text << std::endl;
  }
}

void ProgressPrinter::Run() {
  const Duration pause = options_.terminal ? milliseconds(100) : seconds(3);
  std::lock_guard<Condition> held(*condition_);
  Instant next = runtime_.Now() + pause;
  while (!finished_) {
    if (condition_->WaitUntil(next) || finished_) continue;
    Print();
    next = runtime_.Now() + pause;
  }
}

void ProgressPrinter::Finish() {
  if (task_ == nullptr) return;
  {
    std::lock_guard<Condition> held(*condition_);
    finished_ = true;
    condition_->NotifyAll();
  }
  task_->Join();
  task_.reset();
  Print();
  if (options_.terminal) out_ << std::endl;
}

}  // namespace saffron
