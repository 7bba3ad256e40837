#include "services/oms/ontology_catalog.h"

#include <algorithm>

namespace saffron {
namespace {

constexpr std::size_t kPageRows = 1000;
constexpr int kConsistentTries = 3;

std::string CacheKey(std::string_view db, std::string_view branch) {
  std::string key;
  key.reserve(db.size() + branch.size() + 1);
  return key.append(db).append(":").append(branch);
}

bool Present(const AggregateRow& row) { return row.decided.lifecycle == Lifecycle::kPresent; }

bool Undecided(const AggregateRow& row) {
  return row.pending.has_value() || row.accepted.number != row.decided.number;
}

UndecidedChange ChangeOf(const AggregateRow& row) {
  return {row.key, row.pending ? SequenceNumber() : row.accepted.number};
}

// A change of a class of a dead database says nothing about the live one.
bool UndecidedIn(const AggregateRow& row, SequenceNumber database) {
  if (row.pending && row.pending->state.scope.database == database) return true;
  return row.accepted.number != row.decided.number && row.accepted.scope.database == database;
}

// Every class command, and its outcome, moves the head: the classes are those of the view.
bool Unmoved(const AggregateRow& database, const AggregateRow& head, const OntologyViewPtr& view) {
  if (!view || !view->ontology || Undecided(database) || Undecided(head)) return false;
  const OntologyStamp& stamp = view->ontology->database();
  return Present(database) && stamp.number == database.decided.number &&
         stamp.incarnation == database.decided.incarnation &&
         view->ontology->head() == head.decided.number;
}

}  // namespace

const UndecidedChange* OntologyView::FindUndecided(const AggregateKey& aggregate) const {
  for (const UndecidedChange& change : undecided) {
    if (change.aggregate == aggregate) return &change;
  }
  return nullptr;
}

std::shared_ptr<const Ontology> OntologyCatalog::Cached(std::string_view db,
                                                        std::string_view branch) const {
  OntologyViewPtr view = CachedView(db, branch);
  return view ? view->ontology : nullptr;
}

OntologyViewPtr OntologyCatalog::CachedView(std::string_view db, std::string_view branch) const {
  const std::string key = CacheKey(db, branch);
  std::lock_guard<std::mutex> held(mutex_);
  auto found = views_.find(key);
  return found == views_.end() ? nullptr : found->second;
}

Result<OntologyCatalog::Heads> OntologyCatalog::ReadHeads(std::string_view db,
                                                          std::string_view branch) const {
  const AggregateKey database = AggregateKey::Database(db);
  const AggregateKey head = AggregateKey::OntologyHead(db, branch);
  RegistryRead read;
  read.aggregates = {database, head};
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  Heads heads;
  heads.database.key = database;
  heads.head.key = head;
  if (auto found = rows.aggregates.find(database); found != rows.aggregates.end()) {
    heads.database = found->second;
  }
  if (auto found = rows.aggregates.find(head); found != rows.aggregates.end()) {
    heads.head = found->second;
  }
  return heads;
}

Result<std::vector<AggregateRow>> OntologyCatalog::ListClasses(std::string_view db,
                                                               std::string_view branch) const {
  const std::string prefix = CacheKey(db, branch) + ":";
  std::vector<AggregateRow> all;
  std::string after;
  while (true) {
    SAFFRON_ASSIGN(std::vector<AggregateRow> page,
                   context_.registry.List(AggregateType::kOntologyClass, prefix, after, kPageRows));
    const bool last = page.size() < kPageRows;
    if (!last) after = page.back().key.id;
    std::move(page.begin(), page.end(), std::back_inserter(all));
    if (last) return all;
  }
}

Result<OntologyClass> OntologyCatalog::LoadClass(const AggregateRow& row, std::string_view class_id,
                                                 const Ontology* known) const {
  if (known != nullptr) {
    const OntologyClass* same = known->Find(class_id);
    if (same != nullptr && same->number == row.decided.number &&
        same->incarnation == row.decided.incarnation) {
      return *same;
    }
  }
  SAFFRON_ASSIGN(Envelope event, ReadEvent(context_, row.decided.outcome));
  SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
  DefinitionResult read = ParseClassDefinition(outcome.document, class_id);
  if (!read.violations.empty()) {
    return Corrupt(row.key.ToString() + ": the decided definition is not readable: " +
                   read.violations.front().pointer + " " + read.violations.front().message);
  }
  return OntologyClass{row.decided.number, row.decided.incarnation, std::move(read.definition)};
}

Result<std::shared_ptr<const Ontology>> OntologyCatalog::Build(
    const Heads& heads, const std::vector<AggregateRow>& rows, const OntologyViewPtr& known) const {
  const SequenceNumber incarnation = heads.database.decided.incarnation;
  const Ontology* before = known ? known->ontology.get() : nullptr;
  if (before != nullptr && before->database().incarnation != incarnation) before = nullptr;
  OntologyStamp stamp{heads.database.key, incarnation, heads.database.decided.number};
  std::map<std::string, OntologyClass> classes;
  bool same = before != nullptr && before->head() == heads.head.decided.number &&
              before->database() == stamp;
  for (const AggregateRow& row : rows) {
    if (!Present(row) || row.decided.scope.database != incarnation) continue;
    SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(row.key));
    SAFFRON_ASSIGN(OntologyClass loaded, LoadClass(row, parts.class_id, before));
    const OntologyClass* old = before == nullptr ? nullptr : before->Find(parts.class_id);
    same = same && old != nullptr && old->number == loaded.number;
    classes.emplace(std::string(parts.class_id), std::move(loaded));
  }
  if (same && before->classes().size() == classes.size()) return known->ontology;
  return std::shared_ptr<const Ontology>(
      std::make_shared<const Ontology>(std::move(stamp), heads.head.decided.number, classes));
}

Result<OntologyViewPtr> OntologyCatalog::Refresh(std::string_view db, std::string_view branch) {
  const OntologyViewPtr known = CachedView(db, branch);
  auto view = std::make_shared<OntologyView>();
  view->started = context_.runtime.Now();
  SAFFRON_ASSIGN(Heads heads, ReadHeads(db, branch));
  if (Unmoved(heads.database, heads.head, known)) {
    view->ontology = known->ontology;
    Store(db, branch, view);
    return OntologyViewPtr(view);
  }
  std::vector<AggregateRow> rows;
  for (int attempt = 1;; ++attempt) {
    SAFFRON_ASSIGN(rows, ListClasses(db, branch));
    // With the head unmoved, the pages are of one moment.
    SAFFRON_ASSIGN(Heads after, ReadHeads(db, branch));
    const bool still = after.head == heads.head && after.database == heads.database;
    heads = std::move(after);
    if (still) break;
    if (attempt == kConsistentTries) return Unavailable("the ontology of the branch is changing");
  }
  if (Undecided(heads.database)) view->undecided.push_back(ChangeOf(heads.database));
  view->head_undecided = Undecided(heads.head);
  if (Present(heads.database)) {
    for (const AggregateRow& row : rows) {
      if (UndecidedIn(row, heads.database.decided.incarnation)) {
        view->undecided.push_back(ChangeOf(row));
      }
    }
    SAFFRON_ASSIGN(view->ontology, Build(heads, rows, known));
  }
  Store(db, branch, view);
  return OntologyViewPtr(view);
}

void OntologyCatalog::Store(std::string_view db, std::string_view branch,
                            const OntologyViewPtr& view) {
  std::string key = CacheKey(db, branch);
  std::lock_guard<std::mutex> held(mutex_);
  auto found = views_.find(key);
  if (found != views_.end() && found->second->started > view->started) return;
  if (!view->ontology) {
    // Names that do not exist must not fill the cache.
    if (found != views_.end()) views_.erase(found);
    return;
  }
  if (found == views_.end() && views_.size() >= capacity_) views_.erase(views_.begin());
  views_.insert_or_assign(std::move(key), view);
}

}  // namespace saffron
