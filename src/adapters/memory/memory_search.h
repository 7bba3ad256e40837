// The search index of tests and of the seeded simulation.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/search_index.h"

namespace saffron {

// Documents in a map; every search looks at all of a class. Owned by a test; any thread may call
// it, nothing in it waits. It outlives the simulated crash of the process that used it.
class MemorySearch final : public SearchIndex {
 public:
  MemorySearch();
  ~MemorySearch() override;

  // Readable after Refresh only.
  Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override;
  Status Refresh() override;
  Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) override;
  Result<SearchPage> Search(const SearchQuery& query) override;
  Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                           std::size_t limit) override;
  Result<std::string> Watermark() override;
  Status SetWatermark(std::string_view value) override;
  Result<std::unique_ptr<SearchIndex>> NewGeneration() override;
  Status Activate(SearchIndex& next) override;

  // For tests: a backup, and a sink older than its registry.
  struct Generation;
  std::shared_ptr<const Generation> Snapshot();
  void Restore(const std::shared_ptr<const Generation>& backup);
  // For tests of the tests: an index that takes whatever comes, however old.
  void IgnoreVersions() { ignores_versions_ = true; }

 private:
  std::shared_ptr<Generation> Current();

  std::mutex mutex_;
  std::shared_ptr<Generation> generation_;
  bool ignores_versions_ = false;
};

}  // namespace saffron
