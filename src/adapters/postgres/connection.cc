#include "adapters/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cctype>

namespace saffron::postgres {

namespace {

constexpr int kBinary = 1;

// False: the deadline came first.
bool WaitFor(int socket, short events, SteadyTime deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() < 0) return false;
    pollfd wanted{socket, events, 0};
    const int timeout_ms = static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000));
    if (poll(&wanted, 1, timeout_ms) > 0) return true;
  }
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? ' ' : c;
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// Of a refused connection libpq gives text alone: "FATAL:  28P01: password ...", whose first word
// depends on the language. The states of interest begin with a digit.
std::string StateIn(std::string_view text) {
  for (std::size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', at + 1)) {
    std::size_t begin = at + 1;
    while (begin < text.size() && text[begin] == ' ') ++begin;
    const std::string_view word = text.substr(begin, 6);
    const bool is_state = word.size() == 6 && word[5] == ':' &&
                          std::isdigit(static_cast<unsigned char>(word[0])) &&
                          std::all_of(word.begin(), word.end() - 1, [](char c) {
                            return std::isdigit(static_cast<unsigned char>(c)) ||
                                   std::isupper(static_cast<unsigned char>(c));
                          });
    if (is_state) return std::string(word.substr(0, 5));
  }
  return {};
}

// Without the line that says where in the server's source.
std::string WithoutLocation(std::string_view text) {
  return OneLine(text.substr(0, text.find("\nLOCATION:")));
}

void IgnoreNotice(void*, const PGresult*) {}

}  // namespace

Result<Address> Address::Parse(const std::string& url) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
      PQconninfoParse(url.c_str(), &complaint), &PQconninfoFree);
  PQfreemem(complaint);  // it quotes the text
  if (!options) return Invalid("not an address of a PostgreSQL database, as libpq takes it");
  Address address;
  // A dead peer is noticed within a minute also where no deadline runs.
  address.settings_ = {{"fallback_application_name", "saffron"},
                       {"keepalives_idle", "30"},
                       {"keepalives_interval", "10"},
                       {"keepalives_count", "3"},
                       {"tcp_user_timeout", "30000"},
                       {"client_encoding", "UTF8"}};
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string keyword = option->keyword;
    std::erase_if(address.settings_, [&](const auto& known) { return known.first == keyword; });
    address.settings_.emplace_back(keyword, option->val);
  }
  return address;
}

std::string Address::Setting(std::string_view name, std::string_view otherwise) const {
  for (const auto& [keyword, value] : settings_) {
    if (keyword == name) return value;
  }
  return std::string(otherwise);
}

std::string Address::ToString() const {
  return Setting("host", Setting("hostaddr", "localhost")) + ":" + Setting("port", "5432") + "/" +
         Setting("dbname", Setting("user", ""));
}

std::string Address::WithoutSecrets(std::string text) const {
  for (const char* name : {"password", "sslpassword"}) {
    const std::string secret = Setting(name, "");
    if (secret.empty()) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
  return text;
}

Connection::Connection(const Address& address, PGconn* handle)
    : address_(address), handle_(handle, &PQfinish) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Connect(const Address& address,
                                                        SteadyTime deadline) {
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : address.settings()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<Connection> made(
      new Connection(address, PQconnectStartParams(keywords.data(), values.data(), 0)));
  PGconn* const handle = made->handle_.get();
  if (handle == nullptr) return Unavailable("out of memory");
  PQsetErrorVerbosity(handle, PQERRORS_VERBOSE);
  PQsetNoticeReceiver(handle, &IgnoreNotice, nullptr);
  PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
  while (PQstatus(handle) != CONNECTION_BAD && wanted != PGRES_POLLING_OK) {
    const short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!WaitFor(PQsocket(handle), events, deadline)) {
      return Unavailable(address.ToString() + ": no connection in time");
    }
    wanted = PQconnectPoll(handle);
    if (wanted == PGRES_POLLING_FAILED) break;
  }
  if (PQstatus(handle) != CONNECTION_OK) {
    const std::string text = PQerrorMessage(handle);
    const std::string state = StateIn(text);
    const bool refused = state.starts_with("28") || state == "3D000" ||
                         (state.empty() && PQconnectionNeedsPassword(handle) != 0);
    return Error(refused ? Code::kInvalid : Code::kUnavailable,
                 address.ToString() + ": " + WithoutLocation(address.WithoutSecrets(text)));
  }
  if (PQsetnonblocking(handle, 1) != 0 || PQenterPipelineMode(handle) == 0) {
    return Unavailable(address.ToString() + ": the connection was lost at once");
  }
  return made;
}

void Connection::Add(const Statement& statement, std::vector<Value> values) {
  queue_.push_back({&statement, std::move(values)});
}

bool Connection::clean() const {
  return !lost_ && queue_.empty() && PQstatus(handle_.get()) == CONNECTION_OK &&
         PQtransactionStatus(handle_.get()) == PQTRANS_IDLE;
}

int Connection::socket() const { return PQsocket(handle_.get()); }

Failure Connection::Lost(std::string_view what) const {
  // Secrets first: one may have a line break in it.
  const std::string text = WithoutLocation(address_.WithoutSecrets(PQerrorMessage(handle_.get())));
  return {"", std::string(what) + (text.empty() ? "" : ": " + text), true};
}

bool Connection::Send(const Queued& queued) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const Value& value : queued.values) {
    values.push_back(value.bytes.c_str());
    lengths.push_back(static_cast<int>(value.bytes.size()));
    formats.push_back(kBinary);
  }
  return PQsendQueryPrepared(handle_.get(), queued.statement->name.c_str(),
                             static_cast<int>(values.size()), values.data(), lengths.data(),
                             formats.data(), kBinary) != 0;
}

Answer Connection::Run(SteadyTime deadline) {
  Answer answer;
  ++trips_;
  PGconn* const handle = handle_.get();
  // What this trip prepares, and before which statement.
  std::vector<std::pair<std::size_t, const Statement*>> preparing;
  bool sent = !lost_;
  for (std::size_t i = 0; i < queue_.size() && sent; ++i) {
    const Statement* statement = queue_[i].statement;
    const auto same = [&](const auto& other) { return other.second == statement; };
    if (std::find(prepared_.begin(), prepared_.end(), statement) == prepared_.end() &&
        std::none_of(preparing.begin(), preparing.end(), same)) {
      preparing.emplace_back(i, statement);
      sent = PQsendPrepare(handle, statement->name.c_str(), statement->sql.c_str(), 0, nullptr);
    }
    sent = sent && Send(queue_[i]);
  }
  sent = sent && PQpipelineSync(handle) != 0;
  auto next_prepared = preparing.begin();
  for (std::size_t i = 0; i < queue_.size() && sent; ++i) {
    if (next_prepared != preparing.end() && next_prepared->first == i) {
      Answer prepared;
      sent = Collect(prepared, deadline);
      if (prepared.failure && !answer.failure) {
        answer.failure = std::move(prepared.failure);
        answer.failure->at = i;
      }
      if (sent && !answer.failure) prepared_.push_back(next_prepared->second);
      ++next_prepared;
    }
    if (!sent) break;
    Answer one;
    sent = Collect(one, deadline);
    if (one.failure && !answer.failure) {
      answer.failure = std::move(one.failure);
      answer.failure->at = i;
    }
    for (Rows& rows : one.rows) answer.rows.push_back(std::move(rows));
  }
  Answer sync;
  sent = sent && Collect(sync, deadline);
  queue_.clear();
  if (!sent || PQstatus(handle) != CONNECTION_OK) {
    lost_ = true;
    if (!answer.failure) answer.failure = Lost("the connection was lost");
    answer.failure->lost = true;
  }
  return answer;
}

void Connection::Take(PGresult* result, Answer& answer) const {
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    answer.rows.push_back(std::move(rows));
    return;
  }
  if (status == PGRES_PIPELINE_SYNC) return;
  Failure failure;
  const auto text = [&](int field) {
    const char* value = PQresultErrorField(result, field);
    return std::string(value == nullptr ? "" : value);
  };
  failure.state = text(PG_DIAG_SQLSTATE);
  failure.message = OneLine(address_.WithoutSecrets(text(PG_DIAG_MESSAGE_PRIMARY)));
  if (failure.message.empty()) failure.message = "not run";
  // The server ends this connection, or never answered on it.
  failure.lost = failure.IsOf("57P") || failure.IsOf("08") || failure.state.empty();
  if (status == PGRES_PIPELINE_ABORTED) failure.lost = false;
  answer.failure = std::move(failure);
}

// The results of one command, up to the empty one that ends them. False: there are no more.
bool Connection::Collect(Answer& answer, SteadyTime deadline) {
  PGconn* const handle = handle_.get();
  while (true) {
    const int unsent = PQflush(handle);
    if (unsent < 0) break;
    if (!PQisBusy(handle)) {
      PGresult* result = PQgetResult(handle);
      if (result == nullptr) {
        if (answer.rows.empty() && !answer.failure) {
          if (PQstatus(handle) != CONNECTION_OK) break;
          continue;  // the end of the one before
        }
        return true;
      }
      const bool sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
      Take(result, answer);
      if (sync) return true;
      continue;
    }
    const short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
    if (!WaitFor(PQsocket(handle), events, deadline)) {
      if (!answer.failure) answer.failure = {"", "the server did not answer in time", true};
      return false;
    }
    if (PQconsumeInput(handle) == 0) break;
  }
  if (!answer.failure) answer.failure = Lost("the connection was lost");
  answer.failure->lost = true;
  return false;
}

std::optional<std::vector<std::string>> Connection::TakeNotices() {
  if (lost_ || PQconsumeInput(handle_.get()) == 0) return std::nullopt;
  std::vector<std::string> payloads;
  while (PGnotify* notice = PQnotifies(handle_.get())) {
    payloads.emplace_back(notice->extra);
    PQfreemem(notice);
  }
  return payloads;
}

}  // namespace saffron::postgres
