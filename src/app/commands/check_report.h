// What `saffron check` found: an item for everything that it looked at, or could not look at.
#pragma once

#include <string>
#include <vector>

namespace saffron {

enum class Verdict { kPassed, kFailed, kNotApplicable };

struct CheckItem {
  std::string id;  // stable: "publisher_advances"
  std::string title;
  Verdict verdict = Verdict::kNotApplicable;
  std::string looked_at;  // where one looked, or what was tried
  std::string found;      // of kNotApplicable: why nobody looked
  std::string next_step;  // of kFailed
};

// An item whose verdict is still to come.
class ItemOf {
 public:
  ItemOf(std::string id, std::string title, std::string looked_at = "");

  // Where one looked is sometimes known only later.
  ItemOf& LookedAt(std::string where);
  CheckItem Passed(std::string found) const;
  CheckItem Failed(std::string found, std::string next_step) const;
  CheckItem NotApplicable(std::string why) const;

 private:
  CheckItem Judged(Verdict verdict, std::string found) const;

  CheckItem item_;
};

std::size_t CountOf(const std::vector<CheckItem>& items, Verdict verdict);
std::string ItemAsText(const CheckItem& item);
// "24 passed, 1 failed, 3 not applicable"
std::string TotalsAsText(const std::vector<CheckItem>& items);
std::string ReportAsJson(const std::string& server, const std::vector<CheckItem>& items);

}  // namespace saffron
