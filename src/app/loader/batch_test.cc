#include "app/loader/batch.h"

#include <gtest/gtest.h>

#include <set>

namespace saffron {
namespace {

LoadPlan PlanOfTwoFiles() {
  LoadPlan plan;
  plan.files.resize(2);
  plan.files[0].mapping.class_id = "A";
  plan.files[1].mapping.class_id = "B";
  return plan;
}

ValidRow Row(int number) {
  std::string id = "row-" + std::to_string(number);
  return {static_cast<std::uint64_t>(number), id, "{\"id\":\"" + id + "\"}"};
}

std::vector<Batch> Batches(const std::vector<ValidRow>& rows, const std::string& generation = "1") {
  LoadPlan plan = PlanOfTwoFiles();
  BatchBuilder builder("db1", plan, {{"A", generation}});
  std::vector<Batch> batches;
  for (const ValidRow& row : rows) {
    for (Batch& batch : builder.Add(0, row)) batches.push_back(std::move(batch));
  }
  if (auto last = builder.Flush()) batches.push_back(std::move(*last));
  return batches;
}

std::vector<ValidRow> Rows(int count) {
  std::vector<ValidRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(Row(i));
  return rows;
}

std::set<std::string> Keys(const std::vector<Batch>& batches) {
  std::set<std::string> keys;
  for (const Batch& batch : batches) keys.insert(batch.request_id.ToString());
  return keys;
}

TEST(Batch, EveryRowIsInOneBatchInOrder) {
  auto batches = Batches(Rows(5000));
  EXPECT_GT(batches.size(), 5u);
  int next = 0;
  for (const Batch& batch : batches) {
    EXPECT_LE(batch.rows.size(), BatchBuilder::kMaxRows);
    for (const ValidRow& row : batch.rows) EXPECT_EQ(row.instance_id, Row(next++).instance_id);
  }
  EXPECT_EQ(next, 5000);
}

TEST(Batch, TheSameRowsMakeTheSameKeys) {
  EXPECT_EQ(Keys(Batches(Rows(5000))), Keys(Batches(Rows(5000))));
  EXPECT_EQ(Keys(Batches(Rows(5000))).size(), Batches(Rows(5000)).size());
}

TEST(Batch, AChangedRowChangesOneKey) {
  auto rows = Rows(5000);
  auto before = Keys(Batches(rows));
  rows[2500].document = "{}";
  auto after = Keys(Batches(rows));
  std::size_t kept = 0;
  for (const std::string& key : after) kept += before.count(key);
  EXPECT_EQ(kept + 1, before.size());
}

TEST(Batch, AnAddedRowLeavesTheOthers) {
  auto rows = Rows(5000);
  auto before = Keys(Batches(rows));
  rows.insert(rows.begin() + 100, Row(9999));
  std::size_t kept = 0;
  for (const std::string& key : Keys(Batches(rows))) kept += before.count(key);
  EXPECT_GE(kept + 3, before.size());
}

TEST(Batch, AnotherGenerationMakesOtherKeys) {
  auto one = Keys(Batches(Rows(10), "1"));
  auto two = Keys(Batches(Rows(10), "2"));
  EXPECT_NE(one, two);
}

TEST(Batch, AFileEndsABatch) {
  LoadPlan plan = PlanOfTwoFiles();
  BatchBuilder builder("db1", plan, {});
  EXPECT_TRUE(builder.Add(0, Row(1)).empty());
  auto finished = builder.Add(1, Row(1));
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_EQ(finished[0].file, 0u);
  EXPECT_EQ(finished[0].Body(), R"({"instances":[{"id":"row-1"}]})");
  EXPECT_NE(finished[0].request_id, builder.Flush()->request_id);
}

TEST(Batch, BytesAreBounded) {
  LoadPlan plan = PlanOfTwoFiles();
  BatchBuilder builder("db1", plan, {});
  std::size_t largest = 0;
  for (int i = 0; i < 20; ++i) {
    ValidRow row = Row(i);
    row.document = std::string(900'000, ' ');
    for (const Batch& batch : builder.Add(0, row)) largest = std::max(largest, batch.Body().size());
  }
  EXPECT_GT(largest, 900'000u);
  EXPECT_LE(largest, BatchBuilder::kMaxBytes + 1000);
}

}  // namespace
}  // namespace saffron
