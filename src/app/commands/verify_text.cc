#include "app/commands/verify_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/commands/print_json.h"
#include "app/json_view.h"
#include "app/loader/progress.h"

namespace saffron {
namespace {

std::string Number(const JsonView& holder, std::string_view name) {
  return Grouped(holder[name].Unsigned().value_or(0));
}

std::string Verdict(const JsonView& answer) {
  const std::uint64_t sampled_of = answer["sampled_of_slots"].Unsigned().value_or(0);
  if (answer["clean"].IsTrue() && sampled_of > 0) {
    return fmt::format(
        "Clean: {} slots of {} were looked at, and nothing that depends on them "
        "differs.\n",
        Number(answer["log"], "slots"), Grouped(sampled_of));
  }
  if (answer["clean"].IsTrue()) return "Clean: nothing differs from the log.\n";
  std::string text = Number(answer, "differences_total") + " differences from the log:\n";
  for (const JsonView& one : answer["differences"].Elements()) {
    text += fmt::format("  {}\n    {}\n    {}\n", one["where"].TextOr(""), one["what"].TextOr(""),
                        one["to_do"].TextOr(""));
  }
  return text;
}

std::string Totals(const JsonView& answer) {
  const JsonView log = answer["log"];
  const JsonView compared = answer["compared"];
  std::string text = fmt::format(
      "log       slots {} to {}, {} bytes: {} commands, {} outcomes ({} rejected), {} undecided, "
      "{} tombstones\n",
      Number(answer, "from_slot"), Number(answer, "head_slot"), Number(log, "bytes"),
      Number(log, "commands"), Number(log, "outcomes"), Number(log, "rejected"),
      Number(log, "undecided"), Number(log, "tombstones"));
  text += fmt::format(
      "compared  {} commands and {} aggregates of the registry, {} of the graph, {} of the search "
      "index\n",
      Number(compared, "command_rows"), Number(compared, "aggregate_rows"),
      Number(compared, "graph_nodes"), Number(compared, "search_documents"));
  text += fmt::format("          {} records of the bus, {} entries of the index by date\n",
                      Number(compared, "bus_records"), Number(compared, "index_entries"));
  if (answer["repaired_index_entries"].Unsigned().value_or(0) > 0) {
    text +=
        "repaired  " + Number(answer, "repaired_index_entries") + " entries of the index by date\n";
  }
  if (compared["refused_documents"].Unsigned().value_or(0) > 0) {
    text += "refused   " + Number(compared, "refused_documents") + " documents by a sink\n";
  }
  return text;
}

std::string Classes(const JsonView& answer) {
  const auto classes = answer["classes"].Elements();
  std::size_t width = 5;
  for (const JsonView& one : classes) width = std::max(width, one["name"].TextOr("").size());
  std::string text = fmt::format("\n  {:<{}} {:>10} {:>10} {:>10}  {}\n", "class", width, "present",
                                 "commands", "rejected", "digest of its events");
  for (const JsonView& one : classes) {
    text += fmt::format("  {:<{}} {:>10} {:>10} {:>10}  {:.16}\n", one["name"].TextOr(""), width,
                        Number(one, "present"), Number(one, "commands"), Number(one, "rejected"),
                        one["digest"].TextOr(""));
  }
  return text;
}

}  // namespace

std::string VerifyAsText(std::string_view json) {
  const JsonView answer = JsonView::Of(json);
  if (!answer["log"].exists()) return JsonAsText(json);
  return Verdict(answer) + Totals(answer) + Classes(answer) +
         fmt::format("\ndigest of the log: {}, read in {:.1f} s\n", answer["digest"].TextOr(""),
                     static_cast<double>(answer["took_ms"].Unsigned().value_or(0)) / 1000);
}

}  // namespace saffron
