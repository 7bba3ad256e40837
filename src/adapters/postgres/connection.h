// One connection to the server: statements go out together and their answers come back in one round
// trip (libpq's pipeline), every wait has a deadline. Not thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/postgres/values.h"
#include "base/result.h"

typedef struct pg_conn PGconn;

namespace saffron::postgres {

using SteadyTime = std::chrono::steady_clock::time_point;

// What is known of a server before it is asked.
class Address {
 public:
  // kInvalid, without the text: it may hold a password.
  static Result<Address> Parse(const std::string& url);

  // "host:port/database", for people.
  std::string ToString() const;
  // The text without the password, wherever it came from.
  std::string WithoutSecrets(std::string text) const;

  const std::vector<std::pair<std::string, std::string>>& settings() const { return settings_; }

 private:
  std::string Setting(std::string_view name, std::string_view otherwise) const;

  std::vector<std::pair<std::string, std::string>> settings_;
};

// A statement is prepared once a connection, under its name.
struct Statement {
  std::string name;
  std::string sql;
};

// Why a statement failed.
struct Failure {
  std::string state;  // SQLSTATE; empty: it is not the server that says so
  std::string message;
  bool lost = false;   // the connection is gone
  std::size_t at = 0;  // which statement of the trip
  bool Is(std::string_view sqlstate) const { return state == sqlstate; }
  bool IsOf(std::string_view sqlstate_class) const { return state.starts_with(sqlstate_class); }
};

struct Answer {
  std::optional<Failure> failure;
  std::vector<Rows> rows;  // one a statement, when there is no failure
};

class Connection {
 public:
  // kInvalid: the server refuses the user, the password or the database. Else kUnavailable.
  static Result<std::unique_ptr<Connection>> Connect(const Address& address, SteadyTime deadline);
  ~Connection();

  // Adds a statement to the next trip. The statement must outlive the connection.
  void Add(const Statement& statement, std::vector<Value> values = {});
  // Sends what was added and waits for all answers. After a failure the statements behind it were
  // not run.
  Answer Run(SteadyTime deadline);

  // May be lent again: alive and not in a transaction.
  bool clean() const;
  void Abandon() { lost_ = true; }
  bool fresh() const { return trips_ <= 1; }  // nothing but its own setting up went over it

  // The payloads of notices that have come; waits for none. Nothing: the connection is lost.
  std::optional<std::vector<std::string>> TakeNotices();
  int socket() const;

 private:
  explicit Connection(const Address& address, PGconn* handle);
  struct Queued {
    const Statement* statement;
    std::vector<Value> values;
  };
  bool Send(const Queued& queued);
  bool Collect(Answer& answer, SteadyTime deadline);
  void Take(PGresult* result, Answer& answer) const;
  Failure Lost(std::string_view what) const;

  const Address& address_;
  const std::unique_ptr<PGconn, void (*)(PGconn*)> handle_;
  std::vector<Queued> queue_;
  std::vector<const Statement*> prepared_;
  std::uint64_t trips_ = 0;
  bool lost_ = false;
};

}  // namespace saffron::postgres
