#include "app/commands/check_report.h"

#include <algorithm>
#include <string_view>

#include "services/ops/json_writer.h"

namespace saffron {
namespace {

std::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed: return "passed";
    case Verdict::kFailed: return "failed";
    case Verdict::kNotApplicable: return "not_applicable";
  }
  return "";
}

std::string ItemAsJson(const CheckItem& item) {
  JsonWriter json;
  json.Text("id", item.id).Text("title", item.title).Text("verdict", NameOf(item.verdict));
  json.Text("looked_at", item.looked_at).Text("found", item.found);
  if (item.verdict == Verdict::kFailed) json.Text("next_step", item.next_step);
  return json.Take();
}

}  // namespace

ItemOf::ItemOf(std::string id, std::string title, std::string looked_at) {
  item_.id = std::move(id);
  item_.title = std::move(title);
  item_.looked_at = std::move(looked_at);
}

ItemOf& ItemOf::LookedAt(std::string where) {
  item_.looked_at = std::move(where);
  return *this;
}

CheckItem ItemOf::Judged(Verdict verdict, std::string found) const {
  CheckItem item = item_;
  item.verdict = verdict;
  item.found = std::move(found);
  return item;
}

CheckItem ItemOf::Passed(std::string found) const {
  return Judged(Verdict::kPassed, std::move(found));
}

CheckItem ItemOf::Failed(std::string found, std::string next_step) const {
  CheckItem item = Judged(Verdict::kFailed, std::move(found));
  item.next_step = std::move(next_step);
  return item;
}

CheckItem ItemOf::NotApplicable(std::string why) const {
  return Judged(Verdict::kNotApplicable, std::move(why));
}

std::size_t CountOf(const std::vector<CheckItem>& items, Verdict verdict) {
  return static_cast<std::size_t>(std::count_if(
      items.begin(), items.end(), [&](const CheckItem& item) { return item.verdict == verdict; }));
}

std::string ItemAsText(const CheckItem& item) {
  if (item.verdict == Verdict::kNotApplicable) {
    return "– " + item.title + "\n    not applicable: " + item.found + "\n";
  }
  std::string text = item.verdict == Verdict::kPassed ? "✓ " : "✗ ";
  text.append(item.title).append("\n    ").append(item.looked_at);
  text.append(item.looked_at.empty() ? "" : ": ").append(item.found).append("\n");
  if (item.verdict == Verdict::kFailed) text.append("    next: ").append(item.next_step) += '\n';
  return text;
}

std::string TotalsAsText(const std::vector<CheckItem>& items) {
  return std::to_string(CountOf(items, Verdict::kPassed)) + " passed, " +
         std::to_string(CountOf(items, Verdict::kFailed)) + " failed, " +
         std::to_string(CountOf(items, Verdict::kNotApplicable)) + " not applicable";
}

std::string ReportAsJson(const std::string& server, const std::vector<CheckItem>& items) {
  return JsonWriter()
      .Text("server", server)
      .Number("passed", CountOf(items, Verdict::kPassed))
      .Number("failed", CountOf(items, Verdict::kFailed))
      .Number("not_applicable", CountOf(items, Verdict::kNotApplicable))
      .Raw("items", JsonArray(items, ItemAsJson))
      .Take();
}

}  // namespace saffron
