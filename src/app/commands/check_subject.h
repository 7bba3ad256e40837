// What the items of `saffron check` are asked of: one deployment, and what was learnt about it on
// the way. Lives for one run; one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/api_client.h"
#include "app/commands/check.h"
#include "base/ids.h"

namespace saffron {

// A line on a terminal that says what is waited for.
class CheckProgress {
 public:
  CheckProgress(Console console, Runtime& runtime)
      : console_(console), runtime_(runtime), started_(runtime.Now()) {}
  ~CheckProgress() { Clear(); }

  void Say(const std::string& what);
  void Clear();

 private:
  Console console_;
  Runtime& runtime_;
  const Instant started_;
  bool shown_ = false;
};

// The command that is sent through the deployment.
struct CheckProbe {
  std::string db;
  EventId create, stale, remove;  // the ids of the three commands
  bool sent = false;              // it may be in the log
  bool accepted = false;
  int refused_with = 0;  // the HTTP status, when it was
  SequenceNumber number;
  Position position;
};

struct CheckSubject {
  const Config& config;
  const CheckOptions& options;
  Runtime& runtime;
  ApiClient& api;
  DeployedEngines& engines;
  CheckProgress& progress;

  bool server_answered = false;
  std::map<std::string, std::string> components = {};  // of the server's health: name -> status
  // Null: embedded, out of reach, or of another deployment.
  std::unique_ptr<ObjectStore> store = {};
  DeployedRegistry registry = {};
  std::optional<LogId> log_of_server = {}, log_of_store = {}, log_of_registry = {};
  std::optional<SlotNumber> published_before = {};  // by the publisher, before the probe was sent
  CheckProbe probe = {};
  Instant deadline = {};  // of what is waited for

  std::string Shown(const std::string& path) const;  // the server's URL and path, without secrets
  bool store_is_server() const { return !config.minio_endpoint_url.empty(); }
  bool registry_is_server() const { return !config.postgres_url.empty(); }

  // Asks again and again, saying what is waited for, until it is so or the deadline has passed. It
  // is asked at least once.
  bool WaitFor(const std::string& what, const std::function<bool()>& is_so);
};

// The items, in the order in which they are looked at; each may use what those before it learnt.

// check_health.cc
CheckItem ServerHealth(CheckSubject& subject);
CheckItem ProcessHealth(CheckSubject& subject, const std::string& url);

// check_engines.cc
CheckItem ObjectStoreReached(CheckSubject& subject);
CheckItem RegistryReached(CheckSubject& subject);
CheckItem BusReached(CheckSubject& subject);
CheckItem GraphReached(CheckSubject& subject);
CheckItem SearchReached(CheckSubject& subject);
// Drops the engines that hold another log, so that nothing is looked for in them.
CheckItem OneDeployment(CheckSubject& subject);
CheckItem SchemaVersion(CheckSubject& subject);
CheckItem StoreConformance(CheckSubject& subject);

// check_posture.cc
CheckItem ServerClock(CheckSubject& subject);
CheckItem ObjectStoreClock(CheckSubject& subject);
CheckItem RegistryClock(CheckSubject& subject);
CheckItem ServerTls(const CheckSubject& subject);
CheckItem ObjectStoreTls(const CheckSubject& subject);
CheckItem RegistryTls(const CheckSubject& subject);
CheckItem BusTls(const CheckSubject& subject);
CheckItem GraphTls(const CheckSubject& subject);
CheckItem SearchTls(const CheckSubject& subject);

// check_probe.cc
CheckItem ProbeAccepted(CheckSubject& subject);
CheckItem ConsumerDone(CheckSubject& subject);
CheckItem ProbeCompleted(CheckSubject& subject);
CheckItem StaleWriteRefused(CheckSubject& subject);
CheckItem ProbeDeleted(CheckSubject& subject);

// check_publishing.cc
// Before the probe is sent.
void NotePublished(CheckSubject& subject);
CheckItem SlotInStore(CheckSubject& subject);
CheckItem PublisherAdvances(CheckSubject& subject);
CheckItem ByDateEntry(CheckSubject& subject);

}  // namespace saffron
