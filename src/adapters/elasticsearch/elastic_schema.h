// Names, mappings and settings of the indexes, and what this process knows of the ones there are.
//
//   PREFIX.gN        of generation N: its watermark
//   PREFIX.gN.DB     of generation N: the documents of a database
//   PREFIX.live      alias of the first of the live generation
//   PREFIX.live.DB   alias of the others of it
//
// A reader or writer names what it means by a stem, PREFIX.live or PREFIX.gN: "STEM", "STEM.DB".
// The aliases of a generation move in one request, so that it goes live as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/elasticsearch/elastic_client.h"
#include "base/result.h"

namespace saffron {

// Which properties of a database have a column: a field "property.NAME" of the engine to filter and
// sort by. There is a bound on fields: one that the engine refuses, it refuses for ever, because
// fields are never taken away; such properties share the field `values` and sort by nested
// documents.
using PropertyColumns = std::map<std::string, bool, std::less<>>;

// The indexes that exist, as far as they are known to any instance. Shared by an index and its
// generations. Thread-safe.
class ElasticIndexes {
 public:
  ElasticIndexes(std::shared_ptr<ElasticClient> client, const ElasticsearchOptions& options);

  std::string live() const { return prefix_ + ".live"; }
  std::string StemOf(std::uint64_t generation) const {
    return prefix_ + ".g" + std::to_string(generation);
  }
  static std::string IndexOf(std::string_view stem, std::string_view db);

  // Puts the template; makes the first generation when there is none.
  Status Prepare();
  // Changes nothing; kNotFound when there is none.
  Status Find();
  Result<std::uint64_t> LiveGeneration();
  // An empty one beside the live one, after dropping what others have left unfinished.
  Result<std::uint64_t> NewGeneration();
  // Moves the aliases to it and drops the one before, at once. Again: no effect.
  Status MakeLive(std::uint64_t generation);
  Status Drop(std::uint64_t generation);

  // Null: nothing is known of that index yet, or Forget was called.
  std::shared_ptr<const PropertyColumns> Columns(std::string_view stem, std::string_view db);
  // Makes the index, and columns for these properties as far as the engine bears them.
  Status Ensure(std::string_view stem, const std::string& db, const std::set<std::string>& names);
  void Forget(std::string_view stem, std::string_view db);

 private:
  // Index names by generation, the live one's number among the aliases.
  using Listing = std::map<std::uint64_t, std::vector<std::string>>;
  Result<Listing> List();
  Status CreateIndex(const std::string& index, const std::string& alias);
  Status CreateLiveIndex(const std::string& db);
  Status CreateHead(std::uint64_t generation, bool live);
  Status CheckFormat();
  Status Delete(const std::vector<std::string>& indexes);
  Result<PropertyColumns> ReadColumns(const std::string& index);
  Result<bool> AddColumns(const std::string& index, const std::set<std::string>& names);
  Status FillColumns(const std::string& index, const std::set<std::string>& names,
                     PropertyColumns& columns);

  const std::shared_ptr<ElasticClient> client_;
  const std::string prefix_;
  const std::uint32_t shards_, max_columns_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const PropertyColumns>, std::less<>>
      known_;  // by index name
};

}  // namespace saffron
