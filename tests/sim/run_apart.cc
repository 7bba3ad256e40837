#include "tests/sim/run_apart.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/result.h"

namespace saffron {
namespace {

void WriteAll(int file, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t wrote = write(file, text.data() + written, text.size() - written);
    if (wrote <= 0) return;
    written += static_cast<std::size_t>(wrote);
  }
}

// Everything until the other end is closed. False: it was not, in time.
bool ReadAll(int file, int most_seconds, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(most_seconds);
  char buffer[4096];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd wanted{file, POLLIN, 0};
    if (left.count() <= 0 || poll(&wanted, 1, static_cast<int>(left.count())) == 0) return false;
    const ssize_t got = read(file, buffer, sizeof(buffer));
    if (got <= 0) return true;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

// The hash in the first line, a violation in each other one.
std::string Encode(const HistoryResult& result) {
  std::string text = std::to_string(result.trace_hash) + "\n";
  for (std::string violation : result.violations) {
    for (char& c : violation) c = c == '\n' ? ' ' : c;
    text += violation + "\n";
  }
  return text;
}

HistoryResult Decode(const std::string& text) {
  HistoryResult result;
  std::size_t at = text.find('\n');
  result.trace_hash = std::strtoull(text.c_str(), nullptr, 10);
  while (at != std::string::npos && at + 1 < text.size()) {
    const std::size_t end = text.find('\n', at + 1);
    result.violations.push_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  return result;
}

}  // namespace

HistoryResult RunApart(const std::function<HistoryResult()>& history, int most_seconds) {
  int ends[2];
  SAFFRON_ASSERT(pipe(ends) == 0);
  const pid_t child = fork();
  SAFFRON_ASSERT(child >= 0);
  if (child == 0) {
    close(ends[0]);
    WriteAll(ends[1], Encode(history()));
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  const bool ended = ReadAll(ends[0], most_seconds, text);
  close(ends[0]);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!ended) return {{"progress: does not end"}, 0};
  if (WIFSIGNALED(status)) {
    return {{std::string("assertion: ended by signal: ") + strsignal(WTERMSIG(status))}, 0};
  }
  return Decode(text);
}

std::string CategoryOf(const std::string& violation) {
  std::string category;
  std::size_t at = 0;
  for (int words = 0; words < 6 && at < violation.size(); ++words) {
    const std::size_t end = std::min(violation.find(' ', at), violation.size());
    const std::string word = violation.substr(at, end - at);
    bool digits = false;
    for (char c : word) digits = digits || std::isdigit(static_cast<unsigned char>(c)) != 0;
    const bool invariant = words == 0 && word.size() <= 7 && word.starts_with("I");
    if (digits && !invariant) {
      if (words > 0) break;
    } else {
      category += (category.empty() ? "" : " ") + word;
    }
    at = end + 1;
  }
  return category;
}

}  // namespace saffron
