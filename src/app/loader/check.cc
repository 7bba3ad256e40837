#include "app/loader/check.h"

#include <cstring>

#include "app/loader/document.h"
#include "base/sha256.h"
#include "domain/instance.h"
#include "domain/names.h"

namespace saffron {

Result<RowChecker> RowChecker::Open(const FileToLoad& file) {
  SAFFRON_ASSIGN(auto text, MappedFile::Open(file.path));
  auto rows = RowSource::Open(text->text(), file.jsonl);
  if (!rows.ok()) return Invalid(file.path + ": " + rows.error().message());
  return RowChecker(file, std::move(text), std::move(*rows));
}

Status RowChecker::Check(ValidRow& row) {
  SAFFRON_ASSIGN(row.document, BuildDocument(file_->mapping, *rows_));
  auto violations = ValidateDocument(*file_->type, row.document);
  if (!violations.empty()) {
    return Invalid(violations.front().pointer + ": " + violations.front().message);
  }
  SAFFRON_ASSIGN(row.instance_id, InstanceIdOf(*file_->type, row.document));
  if (row.instance_id.empty()) return Invalid("the row has no id");
  return CheckInstanceId(row.instance_id);
}

RowChecker::Step RowChecker::Next(ValidRow& row, RejectedRow& rejected) {
  RowSource::Step step = rows_->Next();
  if (step == RowSource::Step::kEnd) return Step::kEnd;
  row.line = rows_->line();
  row.instance_id.clear();
  std::string reason = rows_->problem();
  if (step == RowSource::Step::kRow) {
    Status status = Check(row);
    if (status.ok()) return Step::kValid;
    reason = status.error().message();
  }
  rejected = {file_->name, row.line, row.instance_id, std::move(reason)};
  return Step::kRejected;
}

Result<PlanRows> PlanRows::Open(const LoadPlan& plan) {
  PlanRows rows(plan);
  for (const FileToLoad& file : plan.files) {
    SAFFRON_ASSIGN(RowChecker checker, RowChecker::Open(file));
    rows.total_bytes_ += checker.size_bytes();
    rows.checkers_.push_back(std::move(checker));
  }
  return rows;
}

std::string PlanRows::SeenBefore(const ValidRow& row) {
  const FileToLoad& file = plan_->files[file_];
  Sha256Digest digest = Sha256(file.mapping.class_id + "/" + row.instance_id);
  std::uint64_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  Place here{static_cast<std::uint32_t>(file_), row.line};
  auto [found, is_new] = seen_.emplace(hash, here);
  if (is_new) return "";
  return plan_->files[found->second.file].name + ":" + std::to_string(found->second.line);
}

double PlanRows::share() const {
  if (file_ >= checkers_.size() || total_bytes_ == 0) return 1;
  return static_cast<double>(bytes_before_ + checkers_[file_].position()) /
         static_cast<double>(total_bytes_);
}

RowChecker::Step PlanRows::Next(ValidRow& row, RejectedRow& rejected) {
  for (; file_ < checkers_.size(); ++file_) {
    RowChecker::Step step = checkers_[file_].Next(row, rejected);
    if (step == RowChecker::Step::kEnd) {
      bytes_before_ += checkers_[file_].size_bytes();
      continue;
    }
    if (step == RowChecker::Step::kRejected) return step;
    std::string first = SeenBefore(row);
    if (first.empty()) return step;
    rejected = {plan_->files[file_].name, row.line, row.instance_id, "the same id as " + first};
    return RowChecker::Step::kRejected;
  }
  return RowChecker::Step::kEnd;
}

Result<CheckReport> CheckAll(const LoadPlan& plan, const CheckProgress& progress) {
  constexpr std::uint64_t kReportEvery = 4096;
  CheckReport report;
  for (const FileToLoad& file : plan.files) {
    report.files.push_back({file.name, file.mapping.class_id, 0, 0});
  }
  SAFFRON_ASSIGN(PlanRows rows, PlanRows::Open(plan));
  ValidRow row;
  RejectedRow rejected;
  for (;;) {
    RowChecker::Step step = rows.Next(row, rejected);
    if (step == RowChecker::Step::kEnd) break;
    ++report.files[rows.file()].rows;
    if (++report.rows % kReportEvery == 0) progress(rows.share(), report.rows);
    if (step == RowChecker::Step::kValid) continue;
    ++report.files[rows.file()].rejected;
    report.rejected.push_back(rejected);
  }
  progress(1, report.rows);
  return report;
}

}  // namespace saffron
