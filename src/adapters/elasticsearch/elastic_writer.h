// Documents into the engine: bulk requests of bounded size, and what is done about each item of
// their answers.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "adapters/elasticsearch/elastic_answers.h"
#include "adapters/elasticsearch/elastic_client.h"
#include "adapters/elasticsearch/elastic_schema.h"
#include "ports/search_index.h"

namespace saffron {

struct ElasticWriterOptions {
  std::string stem;   // of the indexes
  std::string query;  // of the bulk requests: refresh, aliases only
  std::size_t bulk_bytes = 0;
  Duration patience{0};
};

// One call of SearchIndex::Write. Many documents go in two halves at once: the engine takes a bulk
// with one thread.
class ElasticWriter {
 public:
  ElasticWriter(ElasticClient& client, ElasticIndexes& indexes, ElasticWriterOptions options,
                const std::vector<SearchDocument>& documents)
      : client_(client),
        indexes_(indexes),
        options_(std::move(options)),
        documents_(documents),
        refusals_(documents.size()) {}

  Result<std::vector<WriteRefusal>> Run();

 private:
  using Numbers = std::vector<std::size_t>;  // of documents
  // What one task sends of a round, and what became of it.
  struct Part {
    Numbers pending;
    Numbers again;         // to be sent once more
    std::string why;       // of the last of them
    bool applied = false;  // something of it may be in the index
    Status status;
  };

  Status Round(Numbers pending);
  std::vector<Part> Divide(Numbers pending) const;
  Status EnsureIndexes(const Numbers& pending);
  Status SendPart(Part& part);
  Result<std::string> Encode(std::size_t number);
  Status Send(Part& part, std::string body, const Numbers& items);
  void TakeItem(Part& part, std::size_t number, elastic::BulkItem item);

  ElasticClient& client_;
  ElasticIndexes& indexes_;
  const ElasticWriterOptions options_;
  const std::vector<SearchDocument>& documents_;
  std::vector<WriteRefusal> refusals_;  // each by the part that has the document
  Numbers again_;                       // of the last round, and why the last of them
  std::string why_;
  bool applied_ = false;  // something of the call may be in the index
};

}  // namespace saffron
