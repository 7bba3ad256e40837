#include "services/ops/verify_report.h"

#include "services/ops/json_writer.h"

namespace saffron {
namespace {

std::string DifferenceAsJson(const Difference& difference) {
  return JsonWriter()
      .Text("where", difference.where)
      .Text("what", difference.what)
      .Text("to_do", difference.to_do)
      .Take();
}

std::string ClassAsJson(const std::pair<const std::string, ClassReport>& entry) {
  const ClassReport& report = entry.second;
  return JsonWriter()
      .Text("name", entry.first)
      .Number("commands", report.commands)
      .Number("outcomes", report.outcomes)
      .Number("rejected", report.rejected)
      .Number("present", report.present)
      .Text("digest", report.digest.Hex())
      .Take();
}

std::string Count(std::uint64_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what);
}

}  // namespace

std::string VerifyReportAsJson(const VerifyReport& report) {
  const std::string log = JsonWriter()
                              .Number("slots", report.slots)
                              .Number("tombstones", report.tombstones)
                              .Number("bytes", report.bytes)
                              .Number("commands", report.commands)
                              .Number("outcomes", report.outcomes)
                              .Number("rejected", report.rejected)
                              .Number("undecided", report.undecided())
                              .Take();
  const std::string compared = JsonWriter()
                                   .Number("command_rows", report.command_rows)
                                   .Number("aggregate_rows", report.aggregate_rows)
                                   .Number("graph_nodes", report.graph_nodes)
                                   .Number("search_documents", report.search_documents)
                                   .Number("bus_records", report.bus_records)
                                   .Number("index_entries", report.index_entries)
                                   .Number("refused_documents", report.refused)
                                   .Take();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(report.took);
  return JsonWriter()
      .Flag("clean", report.clean())
      .Number("from_slot", report.from.value)
      .Number("head_slot", report.head.value)
      .Raw("first_difference",
           report.differences.empty() ? "null" : DifferenceAsJson(report.differences.front()))
      .Number("differences_total", report.differences_total)
      .Raw("differences", JsonArray(report.differences, DifferenceAsJson))
      .Number("sampled_of_slots", report.sampled_of)
      .Number("repaired_index_entries", report.repaired)
      .Raw("log", log)
      .Raw("compared", compared)
      .Text("digest", report.digest.Hex())
      .Raw("classes", JsonArray(report.classes, ClassAsJson))
      .Number("took_ms", static_cast<std::uint64_t>(milliseconds.count()))
      .Take();
}

std::string VerifyReportAsText(const VerifyReport& report) {
  std::string out =
      "slots " + std::to_string(report.from.value) + " to " + std::to_string(report.head.value) +
      ": " + Count(report.commands, "commands, ") + Count(report.outcomes, "outcomes (") +
      Count(report.rejected, "rejected), ") + Count(report.undecided(), "undecided, ") +
      Count(report.tombstones, "tombstones\n");
  out += "compared: " + Count(report.command_rows, "command rows, ") +
         Count(report.aggregate_rows, "aggregate rows, ") +
         Count(report.graph_nodes, "graph nodes, ") +
         Count(report.search_documents, "search documents\n");
  if (report.refused > 0) out += Count(report.refused, "documents refused by a sink\n");
  for (const auto& [name, one] : report.classes) {
    out += "  " + name + ": " + Count(one.present, "present, ") +
           Count(one.commands, "commands, ") + Count(one.rejected, "rejected, ") +
           one.digest.Hex().substr(0, 16) + "\n";
  }
  out += "digest " + report.digest.Hex() + "\n";
  if (report.clean()) return out + "clean: nothing differs from the log\n";
  out += Count(report.differences_total, "differences; the first:\n");
  for (const Difference& difference : report.differences) {
    out +=
        "  " + difference.where + "\n    " + difference.what + "\n    " + difference.to_do + "\n";
  }
  return out;
}

}  // namespace saffron
