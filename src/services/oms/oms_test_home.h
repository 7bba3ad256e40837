// A whole write side on memory ports for tests of the OMS: a real AppendLog, and a decider in place
// of the workers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "base/thread_runtime.h"
#include "eventlog/append_log.h"
#include "services/oms/command_service.h"

namespace saffron {

class OmsTestHome {
 public:
  OmsTestHome();
  ~OmsTestHome();

  // Decides what is undecided now, oldest first; how many.
  std::size_t DecideAll();
  // From now on everything is decided soon, until the end.
  void KeepDeciding();

  // A request with a fresh id that names one command.
  WriteRequest Request(WriteCommand command, const std::string& db = "logistics");
  WriteAnswer Write(WriteCommand command, const std::string& db = "logistics");
  // Makes the database "logistics" and the class Order {id (key), name, weight}, decided.
  void MakeOrders();

  Instant After(Duration duration) { return runtime.Now() + duration; }

  ThreadRuntime runtime;
  Log log = Log::Discard();
  MemoryObjectStore store;
  MemoryRegistry registry;
  std::unique_ptr<LogContext> context;
  std::unique_ptr<AppendLog> append;
  std::unique_ptr<OntologyCatalog> catalog;
  std::unique_ptr<RequestTasks> tasks;
  std::unique_ptr<CommandService> service;

 private:
  void Decide(const CommandRow& row);

  TaskGroup deciders_;
};

WriteCommand CreateDatabase();
WriteCommand DeleteDatabase(std::uint64_t expected);
WriteCommand ClassCommand(Operation operation, std::string id, std::string definition,
                          std::uint64_t expected = 0);
WriteCommand CreateInstance(std::string class_id, std::string document);
WriteCommand UpdateInstance(std::string class_id, std::string id, std::string patch,
                            std::uint64_t expected);
WriteCommand DeleteInstance(std::string class_id, std::string id, std::uint64_t expected);

inline constexpr char kOrderClass[] =
    R"({"id":"Order","properties":[{"name":"id","type":"string","required":true,)"
    R"("primary_key":true},{"name":"name","type":"string"},)"
    R"({"name":"weight","type":"number","constraints":{"min":0}}]})";

}  // namespace saffron
