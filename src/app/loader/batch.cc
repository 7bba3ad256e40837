#include "app/loader/batch.h"

#include <xxhash.h>

#include "base/sha256.h"
#include "domain/names.h"

namespace saffron {
namespace {

void AppendSized(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

}  // namespace

std::string Batch::Body() const {
  std::string body = "{\"instances\":[";
  for (const ValidRow& row : rows) {
    if (&row != &rows.front()) body.push_back(',');
    body.append(row.document);
  }
  return body.append("]}");
}

EventId Batch::CommandId(std::size_t row) const {
  return ItemCommandId(request_id, static_cast<std::uint32_t>(row));
}

BatchBuilder::BatchBuilder(std::string db, const LoadPlan& plan,
                           std::map<std::string, std::string> generations)
    : db_(std::move(db)), plan_(plan), generations_(std::move(generations)) {}

std::vector<Batch> BatchBuilder::Add(std::size_t file, ValidRow row) {
  std::vector<Batch> finished;
  bool full = bytes_ + row.document.size() > kMaxBytes;
  if (!batch_.rows.empty() && (batch_.file != file || full)) finished.push_back(*Flush());
  batch_.file = file;
  bytes_ += row.document.size();
  bool cut = XXH3_64bits(row.instance_id.data(), row.instance_id.size()) % kMeanRows == 0;
  batch_.rows.push_back(std::move(row));
  if (cut || batch_.rows.size() >= kMaxRows) finished.push_back(*Flush());
  return finished;
}

std::optional<Batch> BatchBuilder::Flush() {
  if (batch_.rows.empty()) return std::nullopt;
  const std::string& class_id = plan_.files[batch_.file].mapping.class_id;
  std::string content;
  AppendSized(content, db_);
  AppendSized(content, class_id);
  auto generation = generations_.find(class_id);
  if (generation != generations_.end()) AppendSized(content, generation->second);
  for (const ValidRow& row : batch_.rows) {
    AppendSized(content, row.instance_id);
    AppendSized(content, row.document);
  }
  batch_.request_id =
      EventId(Uuid::FromName(Uuid::NamespaceUrl(), "saffron-load:" + Sha256Hex(content)));
  std::optional<Batch> finished(std::move(batch_));
  batch_ = Batch();
  bytes_ = 0;
  return finished;
}

}  // namespace saffron
