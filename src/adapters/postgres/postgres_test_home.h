// A schema of its own on a real PostgreSQL server, for tests: that of the program, or the one that
// POSTGRES_URL names.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "adapters/postgres/connection.h"
#include "adapters/postgres/postgres_registry.h"
#include "base/thread_runtime.h"
#include "testing/contract/registry_home.h"
#include "testing/servers/real_server.h"

namespace saffron {

class PostgresTestHome final : public RegistryHome {
 public:
  // Null: no server. `restarts`: the test stops and starts it, so it must be ours.
  static std::shared_ptr<PostgresTestHome> Make(bool restarts = true) {
    const char* named = std::getenv("POSTGRES_URL");
    if (named != nullptr && !restarts) {
      return std::shared_ptr<PostgresTestHome>(new PostgresTestHome(named, nullptr));
    }
    RealServer* server = SharedServer("postgres");
    if (server == nullptr) return nullptr;
    return std::shared_ptr<PostgresTestHome>(new PostgresTestHome(server->address(), server));
  }
  ~PostgresTestHome() override { (void)TrySql("drop schema if exists " + schema_ + " cascade"); }

  RealServer& server() { return *server_; }
  const std::string& schema() const { return schema_; }
  const std::string& url() const { return url_; }

  PostgresRegistry::Options OptionsOf() const {
    PostgresRegistry::Options options;
    options.url = url_;
    options.schema = schema_;
    return options;
  }
  std::shared_ptr<PostgresRegistry> OpenWith(PostgresRegistry::Options options) {
    auto opened = PostgresRegistry::Open(std::move(options), runtime_, log_);
    if (!opened.ok()) ADD_FAILURE() << opened.error().ToString();
    return opened.ok() ? std::shared_ptr<PostgresRegistry>(std::move(*opened)) : nullptr;
  }
  std::shared_ptr<PostgresRegistry> OpenRegistry() { return OpenWith(OptionsOf()); }
  saffron::OpenRegistry Open() override {
    auto registry = OpenRegistry();
    return {registry, registry};
  }
  void ChangeIncarnation() override {
    server_->Down();
    const Status up = server_->Up();
    if (!up.ok()) ADD_FAILURE() << up.error().ToString();
  }

  // The first column of the rows as text, joined by spaces. Statements see the schema first.
  std::string Sql(const std::string& sql) {
    Result<std::string> answer = TrySql(sql);
    if (!answer.ok()) ADD_FAILURE() << sql << ": " << answer.error().ToString();
    return answer.ok() ? *answer : "";
  }
  Result<std::string> TrySql(const std::string& sql) { return TryAll({sql}); }
  // One after the other on one connection, and together or not at all; the answer to the last.
  Result<std::string> TryAll(const std::vector<std::string>& script) {
    using std::chrono::steady_clock;
    SAFFRON_ASSIGN(postgres::Address address, postgres::Address::Parse(url_));
    const auto deadline = steady_clock::now() + std::chrono::seconds(60);
    SAFFRON_ASSIGN(std::unique_ptr<postgres::Connection> connection,
                   postgres::Connection::Connect(address, deadline));
    std::vector<postgres::Statement> statements = {{"path", "set search_path = " + schema_}};
    for (const std::string& sql : script) {
      statements.push_back({"sql_" + std::to_string(statements.size()), sql});
    }
    for (const postgres::Statement& statement : statements) connection->Add(statement);
    postgres::Answer answer = connection->Run(deadline);
    if (answer.failure) return Internal(answer.failure->state + " " + answer.failure->message);
    std::string text;
    for (int i = 0; i < answer.rows.back().size(); ++i) {
      if (i > 0) text += ' ';
      text += postgres::Fields(answer.rows.back(), i).Text();
    }
    return text;
  }

 private:
  PostgresTestHome(std::string url, RealServer* server)
      : url_(std::move(url)), server_(server), schema_(NextSchema()) {}
  static std::string NextSchema() {
    static int made = 0;
    return "test_" + std::to_string(getpid()) + "_" + std::to_string(++made);
  }

  const std::string url_;
  RealServer* const server_;
  const std::string schema_;
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

}  // namespace saffron
