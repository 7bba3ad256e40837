// Documents into the engine: bulk requests of bounded size, and what is done about each item of
// their answers.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

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

// One call of SearchIndex::Write. For one thread.
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

  Status Round(const Numbers& pending);
  Status EnsureIndexes(const Numbers& pending);
  Result<std::string> Encode(std::size_t number);
  Status Send(std::string body, const Numbers& items);
  Status TakeAnswer(const HttpResponse& response, const Numbers& items);
  void TakeItem(std::size_t number, int status, std::string_view type, std::string_view reason);

  ElasticClient& client_;
  ElasticIndexes& indexes_;
  const ElasticWriterOptions options_;
  const std::vector<SearchDocument>& documents_;
  std::vector<WriteRefusal> refusals_;
  Numbers again_;         // to be sent once more
  std::string why_;       // of the last of them
  bool applied_ = false;  // something of the call may be in the index
};

}  // namespace saffron
