#include "adapters/kafka/kafka_producer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace saffron {
namespace {

// How often a wait looks at the clock and at the stop. Reports end it at once.
constexpr Duration kSlice = milliseconds(10);
constexpr Duration kStopPatience = seconds(2);
constexpr Duration kPurgePatience = seconds(5);
constexpr Duration kLongestProduce = seconds(600);

std::size_t SizeOf(const BusMessage& message) {
  std::size_t size = message.key.size() + message.value.size();
  for (const auto& [name, value] : message.headers) size += name.size() + value.size();
  return size;
}

// Until the deadline, or shortly after the process is asked to stop.
class Patience {
 public:
  Patience(Runtime& runtime, Instant deadline) : runtime_(runtime), deadline_(deadline) {}
  bool Over() {
    const Instant now = runtime_.Now();
    if (!stopping_ && runtime_.StopRequested()) {
      stopping_ = true;
      deadline_ = std::min(deadline_, now + kStopPatience);
    }
    return now >= deadline_;
  }

 private:
  Runtime& runtime_;
  Instant deadline_;
  bool stopping_ = false;
};

struct Report {
  std::atomic<std::size_t>* open = nullptr;  // of its call
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__IN_PROGRESS;
  rd_kafka_msg_status_t status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

// Ours again when librdkafka does not take them.
rd_kafka_headers_t* HeadersOf(const BusHeaders& headers) {
  if (headers.empty()) return nullptr;
  rd_kafka_headers_t* made = rd_kafka_headers_new(headers.size());
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(made, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return made;
}

rd_kafka_resp_err_t Enqueue(rd_kafka_t* client, rd_kafka_topic_t* topic, const BusMessage& message,
                            Report& report) {
  std::array<rd_kafka_vu_t, 6> parts{};
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = topic;
  parts[1].vtype = RD_KAFKA_VTYPE_KEY;
  parts[1].u.mem = {const_cast<char*>(message.key.data()), message.key.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {const_cast<char*>(message.value.data()), message.value.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[3].u.i = RD_KAFKA_MSG_F_COPY;
  parts[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[4].u.ptr = &report;
  parts[5].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[5].u.headers = HeadersOf(message.headers);
  const std::size_t count = parts[5].u.headers == nullptr ? 5 : 6;
  KafkaFailure failure(rd_kafka_produceva(client, parts.data(), count), &rd_kafka_error_destroy);
  if (failure == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  if (count == 6) rd_kafka_headers_destroy(parts[5].u.headers);
  return rd_kafka_error_code(failure.get());
}

}  // namespace

// Reports point into it: it outlives its caller if one never comes.
struct KafkaProducer::Call {
  explicit Call(std::size_t size) : reports(size) {
    for (Report& report : reports) report.open = &open;
  }
  std::vector<Report> reports;
  std::atomic<std::size_t> open{0};
};

struct KafkaProducer::Session {
  std::mutex mutex;
  std::map<std::string, KafkaTopic, std::less<>> topics;  // under mutex
  std::vector<std::shared_ptr<Call>> abandoned;           // under mutex
  std::mutex hand_over;
  std::uint64_t purges = 0;  // under hand_over
  // Last, so that it goes first: it may use all of the above.
  std::shared_ptr<KafkaHandle> handle;

  ~Session() {
    topics.clear();
    handle.reset();
  }
  rd_kafka_topic_t* Topic(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex);
    auto at = topics.find(name);
    if (at == topics.end()) {
      KafkaTopic topic(rd_kafka_topic_new(handle->get(), name.c_str(), nullptr),
                       &rd_kafka_topic_destroy);
      if (topic == nullptr) return nullptr;
      at = topics.emplace(name, std::move(topic)).first;
    }
    return at->second.get();
  }
};

KafkaProducer::KafkaProducer(const KafkaSettings& settings, std::size_t max_message_bytes,
                             Runtime& runtime, Log& log)
    : settings_(settings), max_message_bytes_(max_message_bytes), runtime_(runtime), log_(log) {}

KafkaProducer::~KafkaProducer() = default;

Result<std::shared_ptr<KafkaProducer::Session>> KafkaProducer::Current() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (session_ == nullptr) {
    auto session = std::make_shared<Session>();
    SAFFRON_ASSIGN(session->handle, KafkaHandle::Producer(settings_, log_));
    session_ = std::move(session);
  }
  return session_;
}

Result<std::shared_ptr<KafkaHandle>> KafkaProducer::Client() {
  SAFFRON_ASSIGN(std::shared_ptr<Session> session, Current());
  // Whoever serves the client may serve reports, which point into the session.
  return std::shared_ptr<KafkaHandle>(session, session->handle.get());
}

void KafkaProducer::Replace(const std::shared_ptr<Session>& broken) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (session_ == broken) session_.reset();
}

void KafkaProducer::Reported(rd_kafka_t* client, const rd_kafka_message_t* message, void*) {
  Report& report = *static_cast<Report*>(message->_private);
  report.code = message->err;
  report.status = rd_kafka_message_status(message);
  report.partition = message->partition;
  report.offset = message->offset;
  // Nothing of the call is touched after this. Its last one ends the wait of whoever serves.
  if (report.open->fetch_sub(1, std::memory_order_acq_rel) == 1) rd_kafka_yield(client);
}

Result<std::vector<Delivery>> KafkaProducer::Produce(const std::vector<BusMessage>& messages,
                                                     Duration timeout) {
  const Instant deadline = runtime_.Now() + std::min(timeout, kLongestProduce);
  std::vector<const BusMessage*> all;
  all.reserve(messages.size());
  for (const BusMessage& message : messages) all.push_back(&message);
  SAFFRON_ASSIGN(Produced produced, ProduceOnce(all, deadline));
  if (messages.size() < 2) return std::move(produced.deliveries);
  for (std::size_t i : produced.too_large) {
    Result<Produced> alone = ProduceOnce({all[i]}, deadline);
    // Of the call nobody knows: others of it are stored.
    if (alone.Is(Code::kUnavailable)) return UnknownOutcome(alone.error().message());
    if (!alone.ok()) return std::move(alone).error();
    produced.deliveries[i] = std::move(alone->deliveries.front());
  }
  return std::move(produced.deliveries);
}

Result<KafkaProducer::Produced> KafkaProducer::ProduceOnce(
    const std::vector<const BusMessage*>& messages, Instant deadline) {
  SAFFRON_ASSIGN(std::shared_ptr<Session> session, Current());
  auto call = std::make_shared<Call>(messages.size());
  HandOver(*session, *call, messages, deadline);
  Await(*session, *call, deadline);
  if (call->open.load(std::memory_order_acquire) > 0) {
    std::lock_guard<std::mutex> lock(session->mutex);
    session->abandoned.push_back(call);
    return UnknownOutcome("kafka: produce: no report");
  }
  char why[512];
  if (rd_kafka_fatal_error(session->handle->get(), why, sizeof why) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log_.Warning("kafka.producer_replaced", {{"why", settings_.Scrub(why)}});
    Replace(session);
  }
  return ResultOf(*session, *call, messages);
}

void KafkaProducer::HandOver(Session& session, Call& call,
                             const std::vector<const BusMessage*>& messages, Instant deadline) {
  Patience patience(runtime_, deadline);
  rd_kafka_t* client = session.handle->get();
  std::optional<std::uint64_t> purges;
  bool over = false;
  // Nothing follows what another call has taken back.
  const auto enqueue = [&](rd_kafka_topic_t* topic, const BusMessage& message, Report& report) {
    std::lock_guard<std::mutex> lock(session.hand_over);
    if (purges.value_or(session.purges) != session.purges) return RD_KAFKA_RESP_ERR__PURGE_QUEUE;
    purges = session.purges;
    call.open.fetch_add(1, std::memory_order_relaxed);
    const rd_kafka_resp_err_t code = Enqueue(client, topic, message, report);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) call.open.fetch_sub(1, std::memory_order_acq_rel);
    return code;
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Report& report = call.reports[i];
    if (SizeOf(*messages[i]) > max_message_bytes_) {
      report.code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
      continue;
    }
    rd_kafka_topic_t* topic = session.Topic(messages[i]->topic);
    report.code = topic == nullptr ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR__IN_PROGRESS;
    while (report.code == RD_KAFKA_RESP_ERR__IN_PROGRESS && !over) {
      const rd_kafka_resp_err_t code = enqueue(topic, *messages[i], report);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        report.code = code;
      } else if (over = patience.Over(); !over) {
        rd_kafka_flush(client, KafkaMilliseconds(kSlice));
      }
    }
  }
}

void KafkaProducer::Await(Session& session, Call& call, Instant deadline) {
  Patience patience(runtime_, deadline);
  rd_kafka_t* client = session.handle->get();
  const auto open = [&call] { return call.open.load(std::memory_order_acquire) > 0; };
  while (open() && !patience.Over()) rd_kafka_flush(client, KafkaMilliseconds(kSlice));
  if (!open()) return;
  {
    std::lock_guard<std::mutex> lock(session.hand_over);
    ++session.purges;
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }
  const Instant until = runtime_.Now() + kPurgePatience;
  while (open() && runtime_.Now() < until) rd_kafka_poll(client, KafkaMilliseconds(kSlice));
}

Error KafkaProducer::TooLarge(std::size_t size) const {
  return Invalid("kafka: a message of " + std::to_string(size) + " bytes is too large: at most " +
                 std::to_string(max_message_bytes_) +
                 " are allowed, or fewer by its topic's max.message.bytes");
}

Result<KafkaProducer::Produced> KafkaProducer::ResultOf(
    const Session& session, const Call& call,
    const std::vector<const BusMessage*>& messages) const {
  Produced produced;
  produced.deliveries.resize(call.reports.size());
  std::optional<Error> failure;
  bool some_stored = false;
  for (std::size_t i = 0; i < call.reports.size(); ++i) {
    const Report& report = call.reports[i];
    Delivery& delivery = produced.deliveries[i];
    if (report.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      some_stored = true;
      delivery.partition = static_cast<std::uint32_t>(report.partition);
      delivery.offset = static_cast<std::uint64_t>(report.offset);
      // So librdkafka concludes, of an attempt whose answer was lost or of what came after.
      if (report.offset < 0) failure = UnknownOutcome("kafka: an offset is not known");
    } else if (report.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      delivery.refused = TooLarge(SizeOf(*messages[i]));
      if (SizeOf(*messages[i]) <= max_message_bytes_) produced.too_large.push_back(i);
    } else {
      const bool purged = report.code == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                          report.code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
      // A report of a living client with this code: the partition left the cluster's metadata while
      // the message waited for it (rd_kafka_toppar_destroy_final, librdkafka 2.0.2).
      const bool gone = report.code == RD_KAFKA_RESP_ERR__DESTROY;
      Error error =
          session.handle->ErrorOf("produce to " + messages[i]->topic,
                                  gone ? RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION : report.code,
                                  purged ? "not acknowledged in time" : "");
      if (error.code() != Code::kUnavailable) {
        delivery.refused = std::move(error);
        continue;
      }
      some_stored = some_stored || report.status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
      if (!failure) failure = std::move(error);
    }
  }
  if (some_stored) session.handle->Answered();
  if (!failure) return produced;
  return Error(some_stored ? Code::kUnknownOutcome : Code::kUnavailable, failure->message());
}

}  // namespace saffron
