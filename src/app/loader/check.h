// Reads every row of a plan without sending anything: what is valid, what is rejected and why.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/loader/plan.h"
#include "app/loader/row_source.h"
#include "base/result.h"

namespace saffron {

struct RejectedRow {
  std::string file;
  std::uint64_t line = 0;
  std::string instance_id;  // empty: not known
  std::string reason;
};

// One valid row.
struct ValidRow {
  std::uint64_t line = 0;
  std::string instance_id;
  std::string document;
};

// Goes through a file. For one thread; the plan outlives it.
class RowChecker {
 public:
  static Result<RowChecker> Open(const FileToLoad& file);

  enum class Step { kValid, kRejected, kEnd };
  // kValid fills `row`, kRejected fills `rejected`.
  Step Next(ValidRow& row, RejectedRow& rejected);
  std::size_t position() const { return rows_->position(); }
  std::size_t size_bytes() const { return text_->text().size(); }

 private:
  RowChecker(const FileToLoad& file, std::unique_ptr<MappedFile> text,
             std::unique_ptr<RowSource> rows)
      : file_(&file), text_(std::move(text)), rows_(std::move(rows)) {}
  Status Check(ValidRow& row);

  const FileToLoad* file_;
  std::unique_ptr<MappedFile> text_;
  std::unique_ptr<RowSource> rows_;
};

// All rows of a plan, file after file. Two rows of one class with the same id: the later one is
// rejected (by 64 bits of a hash: of 10 million ids a row is rejected wrongly once in 400,000
// loads). For one thread; the plan outlives it.
class PlanRows {
 public:
  static Result<PlanRows> Open(const LoadPlan& plan);

  RowChecker::Step Next(ValidRow& row, RejectedRow& rejected);
  // The file of the last row: an index into LoadPlan::files.
  std::size_t file() const { return file_; }
  // Of the bytes, in [0, 1].
  double share() const;

 private:
  struct Place {
    std::uint32_t file;
    std::uint64_t line;
  };
  explicit PlanRows(const LoadPlan& plan) : plan_(&plan) {}
  // "orders.csv:17" when a row before had this id.
  std::string SeenBefore(const ValidRow& row);

  const LoadPlan* plan_;
  std::vector<RowChecker> checkers_;
  std::size_t file_ = 0;
  std::uint64_t bytes_before_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::unordered_map<std::uint64_t, Place> seen_;
};

struct FileCounts {
  std::string file;
  std::string class_id;
  std::uint64_t rows = 0;
  std::uint64_t rejected = 0;
};

struct CheckReport {
  std::vector<FileCounts> files;
  std::uint64_t rows = 0;
  std::vector<RejectedRow> rejected;
};

// `progress` gets the share done, in [0, 1], and the rows so far, now and then.
using CheckProgress = std::function<void(double share, std::uint64_t rows)>;
Result<CheckReport> CheckAll(const LoadPlan& plan, const CheckProgress& progress);

}  // namespace saffron
