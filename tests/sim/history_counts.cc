#include "tests/sim/history_counts.h"

#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>

namespace saffron {
namespace {

using std::chrono::duration_cast;
using Hours = std::chrono::duration<double, std::ratio<3600>>;

constexpr std::uint64_t HistoryCounts::*kNumbers[] = {
    &HistoryCounts::histories, &HistoryCounts::large,     &HistoryCounts::commands,
    &HistoryCounts::outcomes,  &HistoryCounts::slots,     &HistoryCounts::acknowledged,
    &HistoryCounts::reads,     &HistoryCounts::port_calls};

}  // namespace

void HistoryCounts::Add(const HistoryCounts& other) {
  for (auto number : kNumbers) this->*number += other.*number;
  virtual_time += other.virtual_time;
  for (const auto& [at, count] : other.coverage) coverage[at] += count;
}

std::string TextOf(const HistoryCounts& counts, double took_s) {
  std::uint64_t faults = 0;
  std::map<std::string, std::uint64_t> by_kind;
  for (const auto& [at, count] : counts.coverage) {
    by_kind[at.second] += count;
    faults += count;
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const double histories = static_cast<double>(counts.histories);
  char head[400];
  std::snprintf(head, sizeof(head),
                "%.0f s: %llu histories (%.0f/s; %llu with 100 commands and more), %.1f virtual "
                "hours, %llu commands (%.1f a history), %llu outcomes, %llu slots, %llu "
                "acknowledged, %llu reads, %llu port calls, %llu faults: ",
                took_s, number(counts.histories), histories / (took_s > 0 ? took_s : 1),
                number(counts.large), duration_cast<Hours>(counts.virtual_time).count(),
                number(counts.commands),
                static_cast<double>(counts.commands) / (histories > 0 ? histories : 1),
                number(counts.outcomes), number(counts.slots), number(counts.acknowledged),
                number(counts.reads), number(counts.port_calls), number(faults));
  std::string text = head;
  const char* comma = "";
  for (const auto& [kind, count] : by_kind) {
    text += comma + std::to_string(count) + " " + kind;
    comma = ", ";
  }
  return text;
}

std::string EncodeCounts(const HistoryCounts& counts) {
  std::string line;
  for (auto number : kNumbers) line += std::to_string(counts.*number) + "\t";
  line += std::to_string(counts.virtual_time.count());
  for (const auto& [at, count] : counts.coverage) {
    line += "\t" + at.first + "\t" + at.second + "\t" + std::to_string(count);
  }
  return line;
}

HistoryCounts DecodeCounts(const std::string& line) {
  HistoryCounts counts;
  std::istringstream in(line);
  for (auto number : kNumbers) in >> counts.*number;
  Duration::rep virtual_ns = 0;
  in >> virtual_ns;
  counts.virtual_time = Duration(virtual_ns);
  in.ignore();
  std::string step, fault, count;
  while (std::getline(in, step, '\t') && std::getline(in, fault, '\t') &&
         std::getline(in, count, '\t')) {
    counts.coverage[{step, fault}] += std::stoull(count);
  }
  return counts;
}

}  // namespace saffron
