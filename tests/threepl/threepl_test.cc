#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "app/loader/check.h"
#include "app/loader/plan.h"
#include "domain/instance.h"

namespace saffron {
namespace {

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    output.append(buffer, n);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

class ThreePl : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* given = std::getenv("SAFFRON_THREEPL_DIR");
    folder_ = given != nullptr ? given : SAFFRON_SOURCE_DIR "/../shared/data/3pl";
    if (!std::filesystem::is_directory(folder_)) GTEST_SKIP() << folder_ << " is not there";
    auto plan = MakePlan({"", SAFFRON_SOURCE_DIR "/tests/threepl/mapping.json", folder_});
    ASSERT_TRUE(plan.ok()) << plan.error().ToString();
    plan_ = std::move(*plan);
  }

  std::string folder_;
  LoadPlan plan_;
};

TEST_F(ThreePl, EveryRowIsReadAndValid) {
  auto report = CheckAll(plan_, [](double, std::uint64_t) {});
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  for (const RejectedRow& row : report->rejected) {
    ADD_FAILURE() << row.file << ":" << row.line << ": " << row.reason;
  }
  std::map<std::string, std::uint64_t> ours, oracle;
  for (const FileCounts& file : report->files) ours[file.file] = file.rows;
  std::istringstream lines(
      OutputOf(SAFFRON_PYTHON " " SAFFRON_SOURCE_DIR "/tests/threepl/count_rows.py " + folder_));
  for (std::string name; lines >> name;) lines >> oracle[name];
  EXPECT_EQ(ours, oracle);
  EXPECT_EQ(ours.size(), 15u);
  EXPECT_TRUE(plan_.warnings.empty());
}

TEST_F(ThreePl, EveryReferencePointsAtARow) {
  auto rows = PlanRows::Open(plan_);
  ASSERT_TRUE(rows.ok());
  std::set<std::string> ids;
  std::set<std::string> wanted;
  ValidRow row;
  RejectedRow rejected;
  while (rows->Next(row, rejected) == RowChecker::Step::kValid) {
    const FileToLoad& file = plan_.files[rows->file()];
    ids.insert(file.mapping.class_id + "/" + row.instance_id);
    for (const Reference& reference : ReferencesOf(*file.type, row.document)) {
      wanted.insert(reference.target_class + "/" + reference.target_id);
    }
  }
  EXPECT_FALSE(wanted.empty());
  for (const std::string& target : wanted) EXPECT_EQ(ids.count(target), 1u) << target;
}

}  // namespace
}  // namespace saffron
