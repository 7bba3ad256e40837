#include "adapters/memory/memory_search.h"

#include <utility>

#include "adapters/embedded/search_query.h"

namespace saffron {

struct MemorySearch::Generation {
  std::mutex mutex;
  std::map<AggregateKey, SearchDocument> documents;
  std::map<AggregateKey, SearchDocument> written;  // newer ones, not readable yet
  std::string watermark;

  // Nothing: an equal or newer version is there.
  SearchDocument* PlaceFor(const SearchDocument& document, bool ignores_versions) {
    auto [place, created] = written.try_emplace(document.key, document);
    const SearchDocument* before = created ? nullptr : &place->second;
    if (auto readable = documents.find(document.key); created && readable != documents.end()) {
      before = &readable->second;
    }
    if (before == nullptr || ignores_versions || before->version < document.version) {
      return &place->second;
    }
    if (created) written.erase(place);
    return nullptr;
  }
};

MemorySearch::MemorySearch() : generation_(std::make_shared<Generation>()) {}
MemorySearch::~MemorySearch() = default;

std::shared_ptr<MemorySearch::Generation> MemorySearch::Current() {
  std::lock_guard<std::mutex> lock(mutex_);
  return generation_;
}

Result<std::vector<WriteRefusal>> MemorySearch::Write(
    const std::vector<SearchDocument>& documents) {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  for (const SearchDocument& document : documents) {
    SearchDocument* place = generation->PlaceFor(document, ignores_versions_);
    if (place == nullptr) continue;
    *place = document;
    if (document.lifecycle == Lifecycle::kAbsent) place->document.clear();
  }
  return std::vector<WriteRefusal>(documents.size());
}

Status MemorySearch::Refresh() {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  for (auto& [key, document] : std::exchange(generation->written, {})) {
    generation->documents.insert_or_assign(key, std::move(document));
  }
  return Ok();
}

Result<std::map<AggregateKey, SearchDocument>> MemorySearch::Get(
    const std::vector<AggregateKey>& keys) {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  std::map<AggregateKey, SearchDocument> found;
  for (const AggregateKey& key : keys) {
    auto stored = generation->documents.find(key);
    if (stored != generation->documents.end()) found.insert(*stored);
  }
  return found;
}

Result<SearchPage> MemorySearch::Search(const SearchQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter filter, DocumentFilter::Compile(query.filters));
  SAFFRON_ASSIGN(PageCollector page, PageCollector::Open(query));
  const std::vector<WordPattern> words = ParseWords(query.text);
  std::uint64_t total = 0;
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  for (const ClassRange& range : RangesOf(query)) {
    auto at = generation->documents.lower_bound({AggregateType::kInstance, range.first});
    for (; at != generation->documents.end(); ++at) {
      const SearchDocument& document = at->second;
      if (at->first.type != AggregateType::kInstance || at->first.id >= range.end) break;
      if (document.lifecycle == Lifecycle::kAbsent || document.scope != range.scope) continue;
      if (!words.empty() && !HoldsAll(WordsOf(document.document), words)) continue;
      if (!filter.Matches(document.document)) continue;
      ++total;
      if (query.limit > 0) page.Add(document);
    }
  }
  if (query.limit == 0) return SearchPage{{}, {}, total};
  return page.Finish();
}

Result<std::vector<SearchDocument>> MemorySearch::Scan(const std::optional<AggregateKey>& after,
                                                       std::size_t limit) {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  std::vector<SearchDocument> documents;
  auto at =
      after.has_value() ? generation->documents.upper_bound(*after) : generation->documents.begin();
  for (; at != generation->documents.end() && documents.size() < limit; ++at) {
    documents.push_back(at->second);
  }
  return documents;
}

Result<std::string> MemorySearch::Watermark() {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  return generation->watermark;
}

Status MemorySearch::SetWatermark(std::string_view value) {
  auto generation = Current();
  std::lock_guard<std::mutex> lock(generation->mutex);
  generation->watermark = value;
  return Ok();
}

Result<std::unique_ptr<SearchIndex>> MemorySearch::NewGeneration() {
  return std::unique_ptr<SearchIndex>(std::make_unique<MemorySearch>());
}

Status MemorySearch::Activate(SearchIndex& next) {
  auto* other = dynamic_cast<MemorySearch*>(&next);
  if (other == nullptr) return Invalid("a generation of another index");
  auto generation = other->Current();
  std::lock_guard<std::mutex> lock(mutex_);
  generation_ = std::move(generation);
  return Ok();
}

std::shared_ptr<const MemorySearch::Generation> MemorySearch::Snapshot() {
  auto generation = Current();
  auto copy = std::make_shared<Generation>();
  std::lock_guard<std::mutex> lock(generation->mutex);
  copy->documents = generation->documents;
  copy->watermark = generation->watermark;
  return copy;
}

void MemorySearch::Restore(const std::shared_ptr<const Generation>& backup) {
  auto copy = std::make_shared<Generation>();
  copy->documents = backup->documents;
  copy->watermark = backup->watermark;
  std::lock_guard<std::mutex> lock(mutex_);
  generation_ = std::move(copy);
}

}  // namespace saffron
