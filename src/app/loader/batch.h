// Rows in batches whose keys follow from what is in them: the same rows make the same batches under
// the same keys, whoever loads them and however often.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/loader/check.h"
#include "app/loader/plan.h"
#include "base/ids.h"

namespace saffron {

// One bulk-create request.
struct Batch {
  std::size_t file = 0;  // an index into LoadPlan::files
  EventId request_id;    // its Idempotency-Key
  std::vector<ValidRow> rows;

  std::string Body() const;
  EventId CommandId(std::size_t row) const;
};

// Cuts after a row whose id's hash says so (one in 400) and at limits. So a row that is added or
// changed alters the key of its own batch, and the batches after it stay as they were. For one
// thread.
class BatchBuilder {
 public:
  static constexpr std::size_t kMeanRows = 400;
  static constexpr std::size_t kMaxRows = 1000;
  static constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;

  // `generations`: see SchemaReport.
  BatchBuilder(std::string db, const LoadPlan& plan,
               std::map<std::string, std::string> generations);

  // The batch that ends with this row, or before it: at most two.
  std::vector<Batch> Add(std::size_t file, ValidRow row);
  std::optional<Batch> Flush();

 private:
  const std::string db_;
  const LoadPlan& plan_;
  const std::map<std::string, std::string> generations_;
  Batch batch_;
  std::size_t bytes_ = 0;
};

}  // namespace saffron
