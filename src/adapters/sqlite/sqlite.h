// SQLite behind Result: connections with a statement cache, transactions, and a database of one
// writer and a few readers. Shared by the embedded graph, bus and search index.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace saffron::sqlite {

class Connection;

// A prepared statement, lent by its connection and given back (reset, bindings cleared) on
// destruction; it must not outlive the connection. Parameters count from 1, columns from 0. Bound
// text and blobs are not copied: they must live until the statement is reset or destroyed. A bind
// that fails is reported by the next Step.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& BindInt(int parameter, std::int64_t value);
  Statement& BindReal(int parameter, double value);
  Statement& BindText(int parameter, std::string_view value);
  Statement& BindBlob(int parameter, std::string_view value);
  Statement& BindNull(int parameter);

  // True: a row is there, its columns valid until the next Step or Reset.
  Result<bool> Step();
  // Steps to the end, drops the rows and resets, so that it can be bound and run again.
  Status Run();
  void Reset();

  std::int64_t Int(int column) const;
  double Real(int column) const;
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;
  std::string String(int column) const { return std::string(Text(column)); }
  bool IsNull(int column) const;

 private:
  friend class Connection;
  Statement(Connection* owner, sqlite3_stmt* handle, std::vector<sqlite3_stmt*>* home)
      : owner_(owner), handle_(handle), home_(home) {}
  Statement& Note(int bind_result);

  Connection* owner_;
  sqlite3_stmt* handle_;
  std::vector<sqlite3_stmt*>* home_;  // the cache's free list for its text; null: not cached
  int bind_result_ = 0;
};

struct ConnectionOptions {
  std::string path;
  std::size_t cache_bytes = 8 << 20;
  int page_bytes = 4096;  // of a new file
  int wal_autocheckpoint_pages = 2000;
  int busy_timeout_ms = 5000;
};

// One sqlite3 handle in WAL mode with synchronous=NORMAL: after a power cut the newest commits may
// be gone, never half of one; after a crash of the process alone nothing is gone. One thread at a
// time.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> Open(const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Cached by text: for the fixed statements of an adapter.
  Result<Statement> Prepare(std::string_view sql);
  // Not cached: for statements made up from a query.
  Result<Statement> PrepareOnce(std::string_view sql);
  // One or more statements without parameters.
  Status Execute(const char* sql);
  std::int64_t LastInsertRowid() const;
  std::int64_t Changes() const;  // rows changed by the last statement

  // Runs `body` in a transaction: committed when it returns Ok, rolled back otherwise. A COMMIT
  // that failed in the file system is kUnknownOutcome. Not to be nested.
  Status InTransaction(const std::function<Status()>& body);
  // The same over one snapshot, for several reads that must agree.
  Status InSnapshot(const std::function<Status()>& body);
  // The reads in between are of the moment of the first one.
  Status BeginSnapshot();
  void EndSnapshot();

  // The error of the handle's last call, by what the caller does about it: busy, full and I/O
  // errors kUnavailable, a damaged file kCorrupt, a constraint kConflict, too big kInvalid.
  Error LastError(int result) const;

 private:
  friend class Statement;
  explicit Connection(sqlite3* handle) : handle_(handle) {}
  Status Run(const char* begin, const std::function<Status()>& body);
  Result<sqlite3_stmt*> Compile(std::string_view sql, unsigned flags);

  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  sqlite3* handle_;
  // Idle statements by text. Addresses of the lists stay: the map's nodes do not move.
  std::unordered_map<std::string, std::vector<sqlite3_stmt*>, TextHash, std::equal_to<>> idle_;
};

struct DatabaseOptions {
  ConnectionOptions connection;
  std::size_t max_readers = 4;
  std::size_t max_point_readers = 2;
  // The log that the contents follow from. Empty: nobody asks.
  std::string log_id = {};
};

class ReaderPool;

// One file: a writer connection behind a mutex and two bounded pools of readers, opened when first
// needed, so that a read does not wait for the writer, nor a read of one row for a long one. Owned
// by its adapter. Thread-safe; a caller holds at most one lease at a time.
class Database {
 public:
  // A connection lent to one caller. Must not outlive the database.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : home_(std::exchange(other.home_, nullptr)),
          connection_(other.connection_),
          writer_lock_(std::move(other.writer_lock_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_; }

   private:
    friend class Database;
    Lease(ReaderPool* home, Connection* connection, std::unique_lock<std::mutex> writer_lock)
        : home_(home), connection_(connection), writer_lock_(std::move(writer_lock)) {}
    ReaderPool* home_;  // of the writer: the pool that keeps no snapshots meanwhile
    Connection* connection_;
    std::unique_lock<std::mutex> writer_lock_;
  };

  // Makes the file and runs `schema` (idempotent statements) when it is opened. kInvalid, and
  // nothing changed: the file is of a newer format, or follows from another log.
  static Result<std::unique_ptr<Database>> Open(DatabaseOptions options, const char* schema);
  ~Database();

  Lease Writer();
  Result<Lease> Reader();
  // For one row by its key: held for microseconds, so that who waits for one waits no longer. What
  // was committed before is seen, as by Reader.
  Result<Lease> PointReader();

 private:
  explicit Database(DatabaseOptions options);
  static Result<Lease> Borrow(ReaderPool& pool);

  const DatabaseOptions options_;
  std::mutex writer_mutex_;
  std::unique_ptr<Connection> writer_;
  const std::unique_ptr<ReaderPool> readers_, point_readers_;
};

}  // namespace saffron::sqlite
