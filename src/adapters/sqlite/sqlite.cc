#include "adapters/sqlite/sqlite.h"

#include <sqlite3.h>

#include <algorithm>

namespace saffron::sqlite {

namespace {

Code CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return Code::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kCorrupt;
    case SQLITE_CONSTRAINT: return Code::kConflict;
    case SQLITE_TOOBIG: return Code::kInvalid;
    case SQLITE_INTERRUPT: return Code::kCancelled;
    default: return Code::kInternal;
  }
}

Error ErrorOf(sqlite3* handle, int result) {
  std::string message = "sqlite: ";
  message += sqlite3_errstr(result);
  if (handle != nullptr && sqlite3_errcode(handle) != SQLITE_OK) {
    message += ": ";
    message += sqlite3_errmsg(handle);
    if (int os_error = sqlite3_system_errno(handle); os_error != 0) {
      message += " (errno " + std::to_string(os_error) + ")";
    }
  }
  return {CodeOf(result), std::move(message)};
}

// A null pointer would bind NULL where an empty value is meant.
const char* Data(std::string_view value) { return value.data() == nullptr ? "" : value.data(); }

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : owner_(other.owner_),
      handle_(std::exchange(other.handle_, nullptr)),
      home_(other.home_),
      bind_result_(other.bind_result_) {}

Statement::~Statement() {
  if (handle_ == nullptr) return;
  if (home_ == nullptr) {
    sqlite3_finalize(handle_);
    return;
  }
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  home_->push_back(handle_);
}

Statement& Statement::Note(int bind_result) {
  if (bind_result_ == SQLITE_OK) bind_result_ = bind_result;
  return *this;
}

Statement& Statement::BindInt(int parameter, std::int64_t value) {
  return Note(sqlite3_bind_int64(handle_, parameter, value));
}

Statement& Statement::BindReal(int parameter, double value) {
  return Note(sqlite3_bind_double(handle_, parameter, value));
}

Statement& Statement::BindText(int parameter, std::string_view value) {
  return Note(sqlite3_bind_text64(handle_, parameter, Data(value), value.size(), SQLITE_STATIC,
                                  SQLITE_UTF8));
}

Statement& Statement::BindBlob(int parameter, std::string_view value) {
  return Note(sqlite3_bind_blob64(handle_, parameter, Data(value), value.size(), SQLITE_STATIC));
}

Statement& Statement::BindNull(int parameter) {
  return Note(sqlite3_bind_null(handle_, parameter));
}

Result<bool> Statement::Step() {
  if (bind_result_ != SQLITE_OK) return owner_->LastError(std::exchange(bind_result_, SQLITE_OK));
  int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return owner_->LastError(result);
}

Status Statement::Run() {
  while (true) {
    Result<bool> row = Step();
    if (row.ok() && *row) continue;
    Reset();
    if (!row.ok()) return std::move(row).error();
    return Ok();
  }
}

void Statement::Reset() { sqlite3_reset(handle_); }

std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(handle_, column); }

double Statement::Real(int column) const { return sqlite3_column_double(handle_, column); }

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

std::string_view Statement::Blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Result<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options) {
  // Once, before the library starts: its count of allocated bytes, which nobody reads, is a lock of
  // the whole process at every allocation.
  [[maybe_unused]] static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int result = sqlite3_open_v2(options.path.c_str(), &handle, kFlags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(handle));  // closes it if this fails
  if (result != SQLITE_OK) return ErrorOf(handle, result).Within(options.path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, options.busy_timeout_ms);
  const std::string pragmas =
      "PRAGMA page_size=" + std::to_string(options.page_bytes) +
      ";PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY"
      ";PRAGMA cache_size=-" +
      std::to_string(options.cache_bytes / 1024) +
      ";PRAGMA wal_autocheckpoint=" + std::to_string(options.wal_autocheckpoint_pages) +
      // After a large transaction the WAL file is cut back to this.
      ";PRAGMA journal_size_limit=67108864";
  if (Status status = connection->Execute(pragmas.c_str()); !status.ok()) {
    return status.error().Within(options.path);
  }
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, statements] : idle_) {
    for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  }
  sqlite3_close_v2(handle_);
}

Error Connection::LastError(int result) const { return ErrorOf(handle_, result); }

Result<sqlite3_stmt*> Connection::Compile(std::string_view sql, unsigned flags) {
  sqlite3_stmt* statement = nullptr;
  int result = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), flags,
                                  &statement, nullptr);
  if (result != SQLITE_OK) return LastError(result);
  return statement;
}

Result<Statement> Connection::Prepare(std::string_view sql) {
  auto found = idle_.find(sql);
  if (found == idle_.end()) found = idle_.try_emplace(std::string(sql)).first;
  std::vector<sqlite3_stmt*>& home = found->second;
  if (!home.empty()) {
    sqlite3_stmt* statement = home.back();
    home.pop_back();
    return Statement(this, statement, &home);
  }
  SAFFRON_ASSIGN(sqlite3_stmt * statement, Compile(sql, SQLITE_PREPARE_PERSISTENT));
  return Statement(this, statement, &home);
}

Result<Statement> Connection::PrepareOnce(std::string_view sql) {
  SAFFRON_ASSIGN(sqlite3_stmt * statement, Compile(sql, 0));
  return Statement(this, statement, nullptr);
}

Status Connection::Execute(const char* sql) {
  int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return LastError(result);
  return Ok();
}

std::int64_t Connection::LastInsertRowid() const { return sqlite3_last_insert_rowid(handle_); }

std::int64_t Connection::Changes() const { return sqlite3_changes64(handle_); }

Status Connection::Run(const char* begin, const std::function<Status()>& body) {
  SAFFRON_TRY(Execute(begin));
  Status status = body();
  if (status.ok()) {
    int result = sqlite3_exec(handle_, "COMMIT", nullptr, nullptr, nullptr);
    if (result == SQLITE_OK) return Ok();
    Error error = LastError(result);
    // The commit frame may have reached the WAL before the call failed.
    if ((result & 0xff) == SQLITE_IOERR) error = UnknownOutcome(error.message());
    status = std::move(error);
  }
  // Some errors (full, I/O) have rolled it back already.
  if (sqlite3_get_autocommit(handle_) == 0) {
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return status;
}

Status Connection::InTransaction(const std::function<Status()>& body) {
  return Run("BEGIN IMMEDIATE", body);
}

Status Connection::BeginSnapshot() {
  SAFFRON_ASSIGN(Statement begin, Prepare("BEGIN"));
  return begin.Run();
}

void Connection::EndSnapshot() {
  // An error may have ended it already.
  if (sqlite3_get_autocommit(handle_) != 0) return;
  Result<Statement> end = Prepare("COMMIT");
  if (!end.ok() || !end->Run().ok()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Status Connection::InSnapshot(const std::function<Status()>& body) { return Run("BEGIN", body); }

// Connections of one file, lent one by one. A pool that keeps snapshots leaves a connection's
// snapshot open from read to read, which saves the locks on the file that each would take (in the
// kernel, and under a mutex of all the file's connections). None is kept while the writer is lent:
// so none is older than the newest commit, and no checkpoint waits for one.
class ReaderPool {
 public:
  enum class Snapshots { kOfEachRead, kKept };

  ReaderPool(const ConnectionOptions& options, std::size_t most, Snapshots snapshots)
      : options_(options), most_(most), keeping_(snapshots == Snapshots::kKept) {}

  // The one given back last, whose cache is warm; a new one while there is room; or waits.
  Result<Connection*> Take();
  void GiveBack(Connection* reader);
  // Around the time that the writer is lent. Only for a pool that keeps snapshots.
  void StopKeeping();
  void KeepAgain();

 private:
  struct Reader {
    std::unique_ptr<Connection> connection;
    std::uint64_t snapshot = 0;  // the period in which it began; 0: none
  };

  Reader& Of(const Connection* connection);
  // With the lock held, but for opening.
  Result<Connection*> TakeIdle(std::unique_lock<std::mutex>& lock);
  static void End(Reader& reader);

  const ConnectionOptions& options_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable idle_again_;
  std::vector<Reader> all_;
  std::vector<Connection*> idle_;
  std::size_t opening_ = 0;
  bool keeping_;
  std::uint64_t period_ = 1;  // between two loans of the writer
};

ReaderPool::Reader& ReaderPool::Of(const Connection* connection) {
  return *std::find_if(all_.begin(), all_.end(),
                       [&](const Reader& reader) { return reader.connection.get() == connection; });
}

Result<Connection*> ReaderPool::TakeIdle(std::unique_lock<std::mutex>& lock) {
  while (idle_.empty()) {
    if (all_.size() + opening_ < most_) {
      ++opening_;
      lock.unlock();
      Result<std::unique_ptr<Connection>> opened = Connection::Open(options_);
      lock.lock();
      --opening_;
      if (!opened.ok()) {
        idle_again_.notify_one();  // another may try in its place
        return std::move(opened).error();
      }
      all_.push_back({std::move(opened).value()});
      return all_.back().connection.get();
    }
    idle_again_.wait(lock);
  }
  Connection* reader = idle_.back();
  idle_.pop_back();
  return reader;
}

Result<Connection*> ReaderPool::Take() {
  std::unique_lock<std::mutex> lock(mutex_);
  SAFFRON_ASSIGN(Connection * taken, TakeIdle(lock));
  Reader& reader = Of(taken);
  // It begins with the first read.
  if (keeping_ && reader.snapshot == 0 && taken->BeginSnapshot().ok()) reader.snapshot = period_;
  return taken;
}

void ReaderPool::End(Reader& reader) {
  if (std::exchange(reader.snapshot, 0) != 0) reader.connection->EndSnapshot();
}

void ReaderPool::GiveBack(Connection* connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  Reader& reader = Of(connection);
  if (!keeping_ || reader.snapshot != period_) End(reader);
  idle_.push_back(connection);
  idle_again_.notify_one();
}

void ReaderPool::StopKeeping() {
  std::lock_guard<std::mutex> lock(mutex_);
  keeping_ = false;
  ++period_;
  for (Connection* connection : idle_) End(Of(connection));
}

void ReaderPool::KeepAgain() {
  std::lock_guard<std::mutex> lock(mutex_);
  keeping_ = true;
}

Database::Lease::~Lease() {
  if (home_ == nullptr) return;
  if (writer_lock_.owns_lock()) {
    home_->KeepAgain();
  } else {
    home_->GiveBack(connection_);
  }
}

Database::Database(DatabaseOptions options)
    : options_(std::move(options)),
      readers_(std::make_unique<ReaderPool>(options_.connection, options_.max_readers,
                                            ReaderPool::Snapshots::kOfEachRead)),
      point_readers_(std::make_unique<ReaderPool>(options_.connection, options_.max_point_readers,
                                                  ReaderPool::Snapshots::kKept)) {}

Database::~Database() = default;

namespace {

constexpr std::int64_t kFormat = 1;

Error NotOurs(const std::string& path, const std::string& what) {
  return Invalid(path + " " + what + "; or move it away: it is made again from the log");
}

// Asked before anything is written to the file.
Status CheckOrigin(Connection& connection, const DatabaseOptions& options) {
  const std::string& path = options.connection.path;
  SAFFRON_ASSIGN(auto version, connection.PrepareOnce("PRAGMA user_version"));
  SAFFRON_ASSIGN(bool row, version.Step());
  if (row && version.Int(0) > kFormat) {
    return NotOurs(path, "has format " + std::to_string(version.Int(0)) + ", this version knows " +
                             std::to_string(kFormat) + ": start the version that wrote it");
  }
  SAFFRON_ASSIGN(auto table, connection.PrepareOnce("SELECT 1 FROM sqlite_master WHERE "
                                                    "type='table' AND name='origin'"));
  SAFFRON_ASSIGN(row, table.Step());
  if (!row || options.log_id.empty()) return Ok();
  SAFFRON_ASSIGN(auto origin, connection.PrepareOnce("SELECT log_id FROM origin"));
  SAFFRON_ASSIGN(row, origin.Step());
  if (!row || origin.Text(0) == options.log_id) return Ok();
  return NotOurs(path, "follows from log " + origin.String(0) + ", the object store holds log " +
                           options.log_id + ": put them together that belong together");
}

Status WriteOrigin(Connection& connection, const std::string& log_id) {
  SAFFRON_ASSIGN(auto version, connection.PrepareOnce("PRAGMA user_version"));
  SAFFRON_ASSIGN(bool known, version.Step());
  if (!known || version.Int(0) != kFormat) {
    version.Reset();
    const std::string set = "PRAGMA user_version=" + std::to_string(kFormat);
    SAFFRON_TRY(connection.Execute(set.c_str()));
  }
  if (log_id.empty()) return Ok();
  SAFFRON_TRY(
      connection.Execute("CREATE TABLE IF NOT EXISTS origin(one INTEGER PRIMARY KEY "
                         "CHECK(one = 1), log_id TEXT NOT NULL)"));
  SAFFRON_ASSIGN(auto row, connection.PrepareOnce("INSERT OR IGNORE INTO origin VALUES(1, ?)"));
  return row.BindText(1, log_id).Run();
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(DatabaseOptions options, const char* schema) {
  std::unique_ptr<Database> database(new Database(std::move(options)));
  const std::string& path = database->options_.connection.path;
  SAFFRON_ASSIGN(database->writer_, Connection::Open(database->options_.connection));
  Connection& writer = *database->writer_;
  Status origin = CheckOrigin(writer, database->options_);
  if (origin.Is(Code::kInvalid)) return origin.error();  // names the file
  if (!origin.ok()) return origin.error().Within(path);
  Status made = writer.InTransaction([&]() -> Status {
    SAFFRON_TRY(writer.Execute(schema));
    return WriteOrigin(writer, database->options_.log_id);
  });
  if (!made.ok()) return made.error().Within(path);
  return database;
}

Database::Lease Database::Writer() {
  std::unique_lock<std::mutex> lock(writer_mutex_);
  point_readers_->StopKeeping();
  return {point_readers_.get(), writer_.get(), std::move(lock)};
}

Result<Database::Lease> Database::Borrow(ReaderPool& pool) {
  SAFFRON_ASSIGN(Connection * reader, pool.Take());
  return Lease(&pool, reader, {});
}

Result<Database::Lease> Database::Reader() { return Borrow(*readers_); }

Result<Database::Lease> Database::PointReader() { return Borrow(*point_readers_); }

}  // namespace saffron::sqlite
