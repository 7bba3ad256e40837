#include "adapters/kafka/kafka_handle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "adapters/kafka/kafka_producer.h"

namespace saffron {
namespace {

KafkaHandle& Of(void* opaque) { return *static_cast<KafkaHandle*>(opaque); }

Code CodeOf(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return Code::kNotFound;
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return Code::kInvalid;
    default: return Code::kUnavailable;
  }
}

}  // namespace

int KafkaMilliseconds(Duration duration) {
  const auto whole = std::chrono::ceil<milliseconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(whole, 0, 1'000'000));
}

BusRecord KafkaRecordOf(const rd_kafka_message_t& message) {
  BusRecord record;
  record.from = {rd_kafka_topic_name(message.rkt), static_cast<std::uint32_t>(message.partition)};
  record.offset = static_cast<std::uint64_t>(message.offset);
  if (message.key != nullptr) {
    record.key.assign(static_cast<const char*>(message.key), message.key_len);
  }
  if (message.payload != nullptr) {
    record.value.assign(static_cast<const char*>(message.payload), message.len);
  }
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  record.headers.reserve(rd_kafka_header_cnt(headers));
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    const char* bytes = value == nullptr ? "" : static_cast<const char*>(value);
    record.headers.emplace_back(name, std::string(bytes, size));
  }
  return record;
}

void AddCommitted(const rd_kafka_topic_partition_t& partition,
                  std::map<TopicPartition, CommittedOffset>& offsets) {
  if (partition.offset < 0) return;
  CommittedOffset& offset =
      offsets[{partition.topic, static_cast<std::uint32_t>(partition.partition)}];
  offset.next = static_cast<std::uint64_t>(partition.offset);
  if (partition.metadata == nullptr) return;
  offset.metadata.assign(static_cast<const char*>(partition.metadata), partition.metadata_size);
}

KafkaHandle::KafkaHandle(const KafkaSettings& settings, Log& log, Rebalance rebalance)
    : settings_(settings), log_(log), rebalance_(std::move(rebalance)) {}

Result<std::unique_ptr<KafkaHandle>> KafkaHandle::Producer(const KafkaSettings& settings,
                                                           Log& log) {
  SAFFRON_ASSIGN(KafkaConf conf, settings.Producer());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &KafkaProducer::Reported);
  std::unique_ptr<KafkaHandle> handle(new KafkaHandle(settings, log, nullptr));
  SAFFRON_TRY(handle->Start(RD_KAFKA_PRODUCER, std::move(conf)));
  return handle;
}

Result<std::unique_ptr<KafkaHandle>> KafkaHandle::Consumer(const KafkaSettings& settings, Log& log,
                                                           const std::string& group,
                                                           Rebalance rebalance) {
  SAFFRON_ASSIGN(KafkaConf conf, settings.Consumer(group));
  rd_kafka_conf_set_rebalance_cb(
      conf.get(),
      [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
         void* opaque) { Of(opaque).rebalance_(code, partitions); });
  std::unique_ptr<KafkaHandle> handle(new KafkaHandle(settings, log, std::move(rebalance)));
  SAFFRON_TRY(handle->Start(RD_KAFKA_CONSUMER, std::move(conf)));
  rd_kafka_poll_set_consumer(handle->get());
  return handle;
}

Result<std::unique_ptr<KafkaHandle>> KafkaHandle::Reader(const KafkaSettings& settings, Log& log) {
  SAFFRON_ASSIGN(KafkaConf conf, settings.Reader());
  std::unique_ptr<KafkaHandle> handle(new KafkaHandle(settings, log, nullptr));
  SAFFRON_TRY(handle->Start(RD_KAFKA_CONSUMER, std::move(conf)));
  rd_kafka_poll_set_consumer(handle->get());
  return handle;
}

Status KafkaHandle::Start(rd_kafka_type_t type, KafkaConf conf) {
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(
      conf.get(), [](rd_kafka_t*, int code, const char* reason, void* opaque) {
        Of(opaque).Complained(static_cast<rd_kafka_resp_err_t>(code), reason);
      });
  rd_kafka_conf_set_log_cb(
      conf.get(), [](const rd_kafka_t* client, int level, const char* facility, const char* text) {
        void* opaque = rd_kafka_opaque(client);
        if (opaque != nullptr) Of(opaque).Logged(level, facility, text);
      });
  char why[512];
  client_ = rd_kafka_new(type, conf.get(), why, sizeof why);
  // Settings that contradict each other are found here only; the text names them.
  if (client_ == nullptr) return Invalid("SAFFRON_KAFKA_*: " + settings_.Scrub(why));
  (void)conf.release();  // the client's now
  return Ok();
}

KafkaHandle::~KafkaHandle() {
  if (client_ == nullptr) return;
  rd_kafka_destroy_flags(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

// Kept where a look for leaks finds it.
void KafkaHandle::LetGo() {
  static std::mutex mutex;
  static auto& kept = *new std::vector<rd_kafka_t*>;
  rd_kafka_set_log_level(client_, 0);
  std::lock_guard<std::mutex> lock(mutex);
  kept.push_back(std::exchange(client_, nullptr));
}

void KafkaHandle::Complained(rd_kafka_resp_err_t code, const char* reason) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__TIMED_OUT: {
      std::lock_guard<std::mutex> lock(mutex_);
      complaint_ = settings_.Scrub(reason);
      break;
    }
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: break;
    default: log_.Warning("kafka.error", {{"error", settings_.Scrub(reason)}}); return;
  }
  suspect_ = true;
}

// Attempts to connect again are many and equal: they are in the errors of whoever wants something.
void KafkaHandle::Logged(int level, const char* facility, const char* text) {
  constexpr int kSyslogWarning = 4;
  const std::string_view what(facility);
  const bool repeats = what == "FAIL" || what == "ERROR";
  log_.Write(level <= kSyslogWarning && !repeats ? LogLevel::kWarning : LogLevel::kDebug,
             "kafka.client", {{"facility", what}, {"text", settings_.Scrub(text)}});
}

void KafkaHandle::TakeComplaints() {
  if (rd_kafka_type(client_) == RD_KAFKA_PRODUCER) {
    rd_kafka_poll(client_, 0);
  } else if (rd_kafka_message_t* event = rd_kafka_consumer_poll(client_, 0)) {
    rd_kafka_message_destroy(event);
  }
}

void KafkaHandle::Answered() {
  if (!suspect_ || !suspect_.exchange(false)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  complaint_.clear();
}

Error KafkaHandle::ErrorOf(std::string_view doing, rd_kafka_resp_err_t code,
                           std::string_view text) const {
  std::string message = "kafka: ";
  message.append(doing).append(": ").append(text.empty() ? rd_kafka_err2str(code) : text);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!complaint_.empty() && CodeOf(code) == Code::kUnavailable) {
      message.append(" (").append(complaint_).append(")");
    }
  }
  return {CodeOf(code), settings_.Scrub(std::move(message))};
}

}  // namespace saffron
