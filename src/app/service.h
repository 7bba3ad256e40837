// Which services a process runs. `saffron serve` runs all of them; each can also be a process of
// its own, over engines that are servers.
#pragma once

#include <array>
#include <string_view>

namespace saffron {

enum class Service {
  kAll,  // `saffron serve`
  kOms,
  kPublisher,
  kOntologyWorker,
  kInstanceWorker,
  kProjectionWorker,
};

// The parts of a service and the engines they work on, beside object store and registry, which
// every one needs.
struct ServiceParts {
  bool api = false;
  bool publisher = false;
  bool ontology_worker = false;
  bool instance_worker = false;
  bool projection = false;

  // The graph writer runs in both command workers, one active, the others standing by.
  bool graph_writer() const { return ontology_worker || instance_worker; }
  // Has lanes, and so whatever a writer of the log needs.
  bool appends() const { return api || ontology_worker || instance_worker; }
  // Settles what other processes left reserved: every writer, and the publisher.
  bool resolves() const { return appends() || publisher; }
  bool needs_graph() const { return api || graph_writer(); }
  bool needs_search() const { return api || projection; }
};

constexpr ServiceParts PartsOf(Service service) {
  ServiceParts parts;
  const bool all = service == Service::kAll;
  parts.api = all || service == Service::kOms;
  parts.publisher = all || service == Service::kPublisher;
  parts.ontology_worker = all || service == Service::kOntologyWorker;
  parts.instance_worker = all || service == Service::kInstanceWorker;
  parts.projection = all || service == Service::kProjectionWorker;
  return parts;
}

// As on the command line.
constexpr std::string_view ServiceName(Service service) {
  switch (service) {
    case Service::kAll: return "serve";
    case Service::kOms: return "oms";
    case Service::kPublisher: return "publisher";
    case Service::kOntologyWorker: return "ontology-worker";
    case Service::kInstanceWorker: return "instance-worker";
    case Service::kProjectionWorker: return "projection-worker";
  }
  return "";
}

inline constexpr std::array kSingleServices = {Service::kOms, Service::kPublisher,
                                               Service::kOntologyWorker, Service::kInstanceWorker,
                                               Service::kProjectionWorker};

}  // namespace saffron
