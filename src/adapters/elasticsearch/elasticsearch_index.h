// The search index on Elasticsearch 7.10 and later or OpenSearch: documents under external
// versions, one index of the engine for each database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "net/http_client.h"
#include "ports/search_index.h"
#include "ports/when_missing.h"

namespace saffron {

struct ElasticsearchOptions {
  std::string url;       // http(s)://[user:password@]host[:port][/path]
  std::string user;      // basic authentication; empty: what the url says, else none
  std::string password;  // of `user`
  std::string api_key;   // base64 of "id:key"; stands before user and password
  std::string ca_file;   // of https; empty: the system's
  HttpClientOptions::VerifyTls verify_tls = HttpClientOptions::VerifyTls::kYes;
  std::string prefix = "saffron";  // of every index and alias: one for each deployment
  WhenMissing when_missing = WhenMissing::kMake;
  std::uint32_t shards = 1;           // of each index made from now on
  std::uint32_t max_columns = 1'000;  // properties of a database with a field of their own in
                                      // indexes made from now on; the others work too, slower
  std::size_t bulk_bytes = std::size_t{10} << 20;  // a request, but for a larger single document
  Duration request_timeout = seconds(30);
  // How long a refused or broken request is repeated before the caller is told.
  Duration retry_writes_for = seconds(5);
  Duration retry_reads_for = seconds(1);
};

// Thread-safe; one connection for each call at a time, kept. Durable when the engine says so
// (its translog is synced before it answers), the watermark after the documents it speaks of.
//
// Any number of processes may use one index; what one has written, all read. While one of them
// fills a new generation, no other may: it would drop it as unfinished.
class ElasticsearchIndex {
 public:
  // Makes what is missing. kInvalid: the options, or an index of another format; kUnavailable:
  // out of reach, or the credentials are refused; kNotFound: the indexes were not to be made.
  static Result<std::unique_ptr<SearchIndex>> Open(ElasticsearchOptions options, Runtime& runtime,
                                                   Log& log);
};

}  // namespace saffron
