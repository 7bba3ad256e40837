// HeldRows: the newest rows of one table, decoded, in front of the files that get them later.
//
// A row changes several times within milliseconds (reserved, settled, outcome claimed, outcome
// recorded); what reaches the files is what it has become by then. Three generations: `changed`
// since the last flush began, `writing` while a flush runs, `written` by the one before, which
// spares reading back what was written a moment ago.
//
// Not synchronized. While a flush runs, the thread that writes may call Writing without the
// lock that guards all else: nothing changes that generation until Written.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

namespace saffron {

template <class Key, class Row>
class HeldRows {
 public:
  struct Entry {
    std::optional<Row> row;             // nothing: deleted
    std::unique_ptr<const Row> before;  // when its generation began; null: there was none
  };

  // Null: not held, the files know.
  const Entry* Find(const Key& key) const {
    for (const Rows* rows : {&changed_, &writing_, &written_}) {
      if (auto found = rows->find(key); found != rows->end()) return &found->second;
    }
    return nullptr;
  }

  // `old`: the row as it is until now, null when there is none.
  void Put(const Key& key, Row row, const Row* old) { Change(key, old).row = std::move(row); }
  void Delete(const Key& key, const Row* old) { Change(key, old).row.reset(); }

  std::size_t changed() const { return changed_.size(); }

  void BeginWriting() {
    SAFFRON_ASSERT(writing_.empty());
    written_.clear();
    writing_.swap(changed_);
  }
  void Written() { written_ = std::exchange(writing_, Rows()); }
  void Clear() {
    changed_.clear();
    writing_.clear();
    written_.clear();
  }

  // What a flush has to write or delete, in the order of order(pair of key and entry).
  template <class Order>
  std::vector<const std::pair<const Key, Entry>*> Writing(Order order) const {
    std::vector<const std::pair<const Key, Entry>*> rows;
    rows.reserve(writing_.size());
    for (const auto& held : writing_) {
      if (held.second.row || held.second.before) rows.push_back(&held);
    }
    std::sort(rows.begin(), rows.end(),
              [&](const auto* a, const auto* b) { return order(*a) < order(*b); });
    return rows;
  }
  // The rows that the files may not have yet, the newest of each key.
  template <class Visit>
  void ForEachUnwritten(Visit visit) const {
    for (const auto& [key, entry] : changed_) visit(key, entry);
    for (const auto& [key, entry] : writing_) {
      if (!changed_.contains(key)) visit(key, entry);
    }
  }

 private:
  using Rows = std::unordered_map<Key, Entry>;

  Entry& Change(const Key& key, const Row* old) {
    auto [at, is_new] = changed_.try_emplace(key);
    if (is_new && old != nullptr) at->second.before = std::make_unique<const Row>(*old);
    return at->second;
  }

  Rows changed_, writing_, written_;
};

// Adds the row of `key` to `rows` if it is held, else the key to `unheld`.
template <class Key, class Row>
void Gather(const HeldRows<Key, Row>& held, const std::vector<Key>& keys,
            std::unordered_map<Key, Row>& rows, std::vector<Key>& unheld) {
  rows.reserve(rows.size() + keys.size());
  for (const Key& key : keys) {
    if (rows.contains(key)) continue;
    const auto* entry = held.Find(key);
    if (entry == nullptr) {
      unheld.push_back(key);
    } else if (entry->row) {
      rows.emplace(key, *entry->row);
    }
  }
}

}  // namespace saffron
