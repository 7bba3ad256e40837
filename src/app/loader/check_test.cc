#include "app/loader/check.h"

#include <gtest/gtest.h>

#include "app/loader/fake_server_test_support.h"

namespace saffron {
namespace {

// Checks the given file of class A (key "id", a reference "to", a number "n").
CheckReport Check(const std::string& name, const std::string& text) {
  TemporaryFolder folder;
  PlanOptions options;
  options.ontology_file = folder.Write("ontology.json", R"({"classes":[{"id":"A","properties":[
    {"name":"id","type":"string","primary_key":true,"required":true},
    {"name":"n","type":"integer","constraints":{"min":0}}],
    "relationships":[{"predicate":"to","target":"A"}]}]})");
  options.data_dir = folder.path();
  folder.Write(name, text);
  auto plan = MakePlan(options);
  EXPECT_TRUE(plan.ok()) << plan.error().ToString();
  auto report = CheckAll(*plan, [](double, std::uint64_t) {});
  EXPECT_TRUE(report.ok());
  return std::move(*report);
}

TEST(Check, RejectedRowsHaveLineIdAndReason) {
  CheckReport report = Check("A.csv", "id,n,to\na,1,a\n\"b\nc\",1,\nd,-1,\ne,x,\nf.g,1,\n");
  EXPECT_EQ(report.rows, 5u);
  ASSERT_EQ(report.rejected.size(), 4u);
  EXPECT_EQ(report.rejected[0].line, 3u);
  EXPECT_EQ(report.rejected[1].line, 5u);
  EXPECT_EQ(report.rejected[1].reason.substr(0, 3), "/n:");
  EXPECT_EQ(report.rejected[2].reason, "column n: \"x\" is not an integer");
  EXPECT_EQ(report.rejected[3].reason.substr(0, 14), "key_component:");
  EXPECT_EQ(report.files[0].rejected, 4u);
}

TEST(Check, JsonlRowsAreDocuments) {
  CheckReport report = Check("A.jsonl",
                             "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":\"1\"}\n{\"id\":\"c\"\n"
                             "{\"id\":\"d\",\"id\":\"e\"}\n\n{\"id\":\"f\"}\n{\"id\":\"a\"}\n");
  EXPECT_EQ(report.rows, 6u);
  ASSERT_EQ(report.rejected.size(), 4u);
  EXPECT_EQ(report.rejected[0].line, 2u);
  EXPECT_EQ(report.rejected[1].line, 3u);
  EXPECT_EQ(report.rejected[2].line, 4u);
  EXPECT_EQ(report.rejected[3].line, 7u);
  EXPECT_EQ(report.rejected[3].reason, "the same id as A.jsonl:1");
}

TEST(Check, AFileThatBreaksOffIsReportedOnce) {
  CheckReport report = Check("A.csv", "id,n,to\na,1,\nb,\"2,\nc,3,\n");
  EXPECT_EQ(report.rows, 2u);
  ASSERT_EQ(report.rejected.size(), 1u);
  EXPECT_EQ(report.rejected[0].line, 3u);
  EXPECT_EQ(report.rejected[0].reason,
            "a quoted field has no end; the rest of the file cannot be read");
}

}  // namespace
}  // namespace saffron
