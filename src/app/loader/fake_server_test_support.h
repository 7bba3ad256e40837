// A server in the test's own process that keeps databases, classes and instances in memory and
// answers the calls of the loader as the API does, faults included.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/ontology.h"
#include "net/http_server.h"

namespace saffron {

class FakeServer {
 public:
  FakeServer();
  ~FakeServer();

  std::string url() const;

  // Asked before each request is looked at; an answer of it is sent instead.
  using Fault = std::function<std::optional<HttpResponse>(const HttpRequest&)>;
  void FailBefore(Fault fault);
  // Asked after a request was applied: an answer of it replaces the true one, as if that was lost.
  void FailAfter(Fault fault);

  std::size_t instances() const;
  std::string Document(const std::string& aggregate_id) const;
  std::vector<std::string> classes_in_order() const;
  std::size_t appended() const;  // creates that were new
  void DropDatabase();
  void SetDocument(const std::string& aggregate_id, std::string document);

 private:
  struct Class {
    std::string definition;
    int number = 0;
  };
  void Handle(HttpRequest&& request, Responder responder);
  HttpResponse Answer(const HttpRequest& request);
  HttpResponse AnswerClass(const HttpRequest& request, bool update);
  HttpResponse AnswerBulk(const HttpRequest& request);
  HttpResponse AnswerHistory(const HttpRequest& request);
  std::string ListClasses() const;
  Ontology CurrentOntology() const;

  mutable std::mutex mutex_;
  Fault before_, after_;
  std::string db_;
  int db_number_ = 0;
  std::map<std::string, Class> classes_;
  std::vector<std::string> class_order_;
  std::map<std::string, std::string> documents_;  // by aggregate id
  std::map<std::string, std::string> commands_;   // command id -> aggregate id
  std::size_t appended_ = 0;
  std::unique_ptr<HttpServer> server_;
};

// Files in a folder that goes away with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string Write(const std::string& name, const std::string& text) const;  // returns the path
  std::string Read(const std::string& name) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace saffron
