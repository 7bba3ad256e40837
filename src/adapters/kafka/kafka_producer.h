// Produce, on an idempotent client.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/kafka/kafka_handle.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

// A call hands over its messages, has them sent at once and waits for their reports; whoever waits
// serves the reports of all. A call that gives up takes back everything that is on its way, its own
// and others', which end there: so what is stored of a call is the beginning of it, in every
// partition. One request for each broker may still be stored later.
//
// One request at a time, on each connection: a leader that has just begun may refuse a batch and
// take the next one, as it has no sequence of this client's to compare with; librdkafka (2.0.2, and
// 2.9 still) then takes the first for delivered, without an offset.
//
// Thread-safe. The client may fail for good (a broker that lost what it had acknowledged); it is
// then replaced.
class KafkaProducer {
 public:
  KafkaProducer(const KafkaSettings& settings, std::size_t max_message_bytes, Runtime& runtime,
                Log& log);
  // Callers are gone.
  ~KafkaProducer();

  // The client, for questions too. kInvalid: its settings are wrong.
  Result<std::shared_ptr<KafkaHandle>> Client();

  Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages, Duration timeout);

  // librdkafka's callback.
  static void Reported(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);

 private:
  struct Session;  // a client and its topics
  struct Call;
  struct Produced {
    std::vector<Delivery> deliveries;
    std::vector<std::size_t> too_large;  // said the broker: of these, or of their company
  };

  Result<std::shared_ptr<Session>> Current();
  void Replace(const std::shared_ptr<Session>& broken);
  Result<Produced> ProduceOnce(const std::vector<const BusMessage*>& messages, Instant deadline);
  void HandOver(Session& session, Call& call, const std::vector<const BusMessage*>& messages,
                Instant deadline);
  void Await(Session& session, Call& call, Instant deadline);
  Result<Produced> ResultOf(const Session& session, const Call& call,
                            const std::vector<const BusMessage*>& messages) const;
  Error TooLarge(std::size_t size) const;

  const KafkaSettings& settings_;
  const std::size_t max_message_bytes_;
  Runtime& runtime_;
  Log& log_;
  std::mutex mutex_;
  std::shared_ptr<Session> session_;  // under mutex_
};

}  // namespace saffron
