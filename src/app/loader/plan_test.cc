#include "app/loader/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/loader/fake_server_test_support.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;

ClassDefinition Class(const std::string& id, const std::string& parent,
                      const std::vector<std::string>& targets) {
  ClassDefinition definition;
  definition.id = id;
  definition.parent_class = parent;
  for (const std::string& target : targets) {
    definition.relationships.push_back({"to_" + target, target, Cardinality::kManyToOne, "", ""});
  }
  return definition;
}

std::string Order(std::vector<ClassDefinition> classes) {
  auto sorted = InOrderOfDependence(std::move(classes));
  if (!sorted.ok()) return sorted.error().message();
  std::string names;
  for (const ClassDefinition& definition : *sorted) names += definition.id;
  return names;
}

TEST(Plan, ParentsAndTargetsComeFirst) {
  EXPECT_EQ(Order({Class("C", "", {"B"}), Class("B", "A", {}), Class("A", "", {})}), "ABC");
  EXPECT_EQ(Order({Class("A", "", {"A", "X"}), Class("B", "", {})}), "AB");
}

TEST(Plan, InACircleOfTargetsAParentIsStillBeforeItsChild) {
  // P points at its own child, the child at D, which points back at P.
  std::string order = Order({Class("P", "", {"C"}), Class("C", "P", {"D"}), Class("D", "", {"P"})});
  EXPECT_EQ(order.size(), 3u);
  EXPECT_LT(order.find('P'), order.find('C'));
}

TEST(Plan, InheritingInACircleIsRefused) {
  EXPECT_EQ(Order({Class("A", "B", {}), Class("B", "A", {})}), "class A inherits from itself");
}

class PlanFiles : public ::testing::Test {
 protected:
  std::string Error(const std::string& mapping, const std::string& csv) {
    PlanOptions options;
    options.mapping_file = folder_.Write("mapping.json", mapping);
    options.data_dir = folder_.path();
    folder_.Write("a.csv", csv);
    auto plan = MakePlan(options);
    return plan.ok() ? "" : plan.error().message();
  }
  const std::string mapping_ = R"({"classes":[{"class":"A","file":"a.csv","key":["id"],
    "columns":{"id":"string","b":"string"}}]})";
  TemporaryFolder folder_;
};

TEST_F(PlanFiles, HeadersAreChecked) {
  EXPECT_EQ(Error(mapping_, "id,b\n"), "");
  EXPECT_EQ(Error(mapping_, "b,id\n"), "");
  EXPECT_EQ(Error(mapping_, "id\n"), "");
  EXPECT_THAT(Error(mapping_, "id,c\n"), HasSubstr("nothing is said about column \"c\""));
  EXPECT_THAT(Error(mapping_, "b\n"), HasSubstr("there is no column \"id\""));
  EXPECT_THAT(Error(mapping_, ""), HasSubstr("the file is empty"));
  EXPECT_THAT(Error(mapping_, "id,id\n"), HasSubstr("two columns are named \"id\""));
}

TEST_F(PlanFiles, ClassesAreLinted) {
  EXPECT_THAT(Error(R"({"classes":[{"class":"A","file":"a.csv","key":["id"],"columns":{
                "id":{"relationship":"to","target":"Nowhere"}}}]})",
                    "id\n"),
              HasSubstr("there is no class \"Nowhere\""));
}

TEST_F(PlanFiles, AMissingFileIsNamed) {
  PlanOptions options;
  options.mapping_file = folder_.Write("mapping.json", mapping_);
  options.data_dir = folder_.path();
  auto plan = MakePlan(options);
  ASSERT_TRUE(plan.Is(Code::kInvalid));
  EXPECT_THAT(plan.error().message(), HasSubstr("a.csv: No such file"));
  options.mapping_file = folder_.path() + "/none.json";
  EXPECT_THAT(MakePlan(options).error().message(), HasSubstr("none.json: No such file"));
}

}  // namespace
}  // namespace saffron
