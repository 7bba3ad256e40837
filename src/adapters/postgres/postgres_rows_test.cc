// Rows that no statement of ours has written: what their tables say is then never taken for truth.
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "adapters/postgres/rows.h"

namespace saffron::postgres {
namespace {

Rows RowOf(std::vector<std::string> fields) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  char name[] = "column";
  std::vector<PGresAttDesc> columns(fields.size(), PGresAttDesc{name, 0, 0, 1, 0, -1, -1});
  EXPECT_NE(PQsetResultAttrs(result, static_cast<int>(columns.size()), columns.data()), 0);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    EXPECT_NE(PQsetvalue(result, 0, static_cast<int>(i), fields[i].data(),
                         static_cast<int>(fields[i].size())),
              0);
  }
  return Rows(result);
}

std::vector<std::string> Parked() {
  return {"instance-worker",    Int2(3).bytes,   "db1:main:Order:a", Int8(4).bytes,
          std::string(16, 'u'), "no such class", TimeOf(1000).bytes};
}

bool IsRow(std::vector<std::string> fields) {
  const auto row = DecodeParked(Fields(RowOf(std::move(fields)), 0));
  EXPECT_TRUE(row.ok() || row.Is(Code::kCorrupt));
  return row.ok();
}

TEST(PostgresRowsTest, AFieldOfAnotherFormIsDamage) {
  ASSERT_TRUE(IsRow(Parked()));
  const std::pair<std::size_t, std::string> others[] = {
      {1, Int2(0).bytes},
      {1, Int2(5).bytes},  // no type
      {3, "4"},
      {3, Int4(4).bytes},  // a column that somebody changed
      {4, std::string(15, 'u')},
      {6, Int8(INT64_MAX).bytes},
      {6, Int8(static_cast<std::uint64_t>(-300'000'000'000'000'000)).bytes},
      {6, Int8(INT64_MIN).bytes},  // infinity
  };
  for (const auto& [column, bytes] : others) {
    std::vector<std::string> fields = Parked();
    fields[column] = bytes;
    EXPECT_FALSE(IsRow(std::move(fields))) << column;
  }
}

// Partition 2^32 + 1 was taken for partition 1.
TEST(PostgresRowsTest, APartitionBeyond32BitsIsDamage) {
  const auto decoded = [](const std::string& ends) {
    return DecodePublished(0, Fields(RowOf({Int8(40).bytes, ends}), 0));
  };
  ASSERT_TRUE(decoded(std::string("\1t\1\5")).ok());
  EXPECT_TRUE(decoded(std::string("\1t\x81\x80\x80\x80\x10\5")).Is(Code::kCorrupt));
}

}  // namespace
}  // namespace saffron::postgres
