// What the clients of a history do.
#include "tests/sim/pipeline_history.h"
#include "tests/sim/story.h"

namespace saffron {
namespace {

constexpr std::uint32_t kInstances = 5;
constexpr char kDatabase[] = "sim";

std::string ThingClass(std::uint64_t version) {
  std::string pads;
  for (char c : {'a', 'b', 'c', 'd'}) {
    pads += std::string(R"(,{"name":"pad_)") + c + R"(","type":"string"})";
  }
  return R"({"id":"Thing","label":"v)" + std::to_string(version) +
         R"(","properties":[{"name":"id","type":"string","required":true,"primary_key":true},)"
         R"({"name":"value","type":"integer","required":true},{"name":"other","type":"integer"})" +
         pads + "]}";
}

}  // namespace

PipelineHistory::Known& PipelineHistory::KnownOf(const WriteCommand& command) {
  return known_[command.type == AggregateType::kInstance ? command.instance_id : command.class_id];
}

WriteRequest PipelineHistory::RequestOf(std::vector<WriteCommand> commands) {
  WriteRequest request;
  request.request_id = EventId(world_.environment().NewUuid());
  request.keyed = world_.Below(2) == 0;
  request.kind = commands.size() > 1 ? WriteKind::kTransaction : WriteKind::kSingle;
  request.db = kDatabase;
  request.commands = std::move(commands);
  request.actor = "client";
  return request;
}

WriteCommand PipelineHistory::DrawInstance(const std::string& id) {
  const Known known = known_[id];
  WriteCommand command;
  command.class_id = "Thing";
  command.instance_id = id;
  const std::uint32_t what = world_.Below(16);
  const bool surprise = what == 0;
  const std::string value = std::to_string(++next_value_);
  if (known.present == surprise) {
    command.operation = Operation::kCreate;
    command.body = R"({"id":")" + id + R"(","value":)" + value + "}";
    return command;
  }
  command.expected_seq = known.number;
  // Now and then a number that is no longer, or not yet, the current one.
  if (world_.Below(8) == 0) command.expected_seq = SequenceNumber(world_.Below(12));
  command.operation = what < 5 ? Operation::kDelete : Operation::kUpdate;
  if (command.operation == Operation::kDelete) return command;
  if (world_.Below(4) == 0) {
    const char pad = static_cast<char>('a' + world_.Below(4));
    command.body = std::string(R"({"pad_)") + pad + R"(":")" + std::string(420, pad) + R"("})";
  } else if (world_.Below(3) == 0) {
    command.body = R"({"other":)" + (world_.Below(2) == 0 ? "null" : value) + "}";
  } else {
    command.body = R"({"value":)" + value + "}";
  }
  return command;
}

WriteCommand PipelineHistory::ClassUpdate() {
  WriteCommand command;
  command.type = AggregateType::kOntologyClass;
  command.operation = Operation::kUpdate;
  command.class_id = "Thing";
  command.body = ThingClass(++next_value_);
  command.expected_seq = known_["Thing"].number;
  return command;
}

WriteRequest PipelineHistory::Draw() {
  if (world_.Below(16) == 0) return RequestOf({ClassUpdate()});
  const std::size_t items = world_.Below(8) == 0 ? 2 + world_.Below(2) : 1;
  const std::uint32_t first = world_.Below(kInstances);
  std::vector<WriteCommand> commands;
  for (std::size_t i = 0; i < items; ++i) {
    commands.push_back(DrawInstance("t" + std::to_string((first + i) % kInstances)));
  }
  WriteRequest request = RequestOf(std::move(commands));
  if (request.kind == WriteKind::kTransaction) AddCheck(request);
  return request;
}

// Now and then it depends on an instance that it does not write.
void PipelineHistory::AddCheck(WriteRequest& request) {
  const std::string id = "t" + std::to_string(world_.Below(kInstances));
  for (const WriteCommand& command : request.commands) {
    if (command.instance_id == id) return;
  }
  if (known_[id].number.value == 0) return;
  request.checks.push_back({"Thing", id, known_[id].number});
}

// Two updates, the second on the number that the first will have if nothing goes wrong.
void PipelineHistory::Burst() {
  const std::string id = "t" + std::to_string(world_.Below(kInstances));
  WriteCommand command;
  command.operation = Operation::kUpdate;
  command.class_id = "Thing";
  command.instance_id = id;
  command.body = R"({"value":)" + std::to_string(++next_value_) + "}";
  command.expected_seq = known_[id].number;
  WriteCommand next = command;
  next.expected_seq = known_[id].number.Next();
  TaskGroup pair(world_.environment());
  pair.Spawn("first", [this, command] { Deliver(RequestOf({command})); });
  pair.Spawn("second", [this, next] { Deliver(RequestOf({next})); });
  pair.JoinAll();
}

// Reads what some client was told, with the number or the position of the acknowledgement.
void PipelineHistory::ReadBack() {
  PipelineNode* node = world_.AnyLive(kOms);
  if (told_.empty() || node == nullptr) return;
  const ToldCommitted& told = told_[world_.Below(static_cast<std::uint32_t>(told_.size()))];
  ReadAsk ask;
  ask.aggregate = told.aggregate;
  const bool indexed = told.aggregate.type != AggregateType::kDatabase;
  if (indexed && world_.Below(2) == 0) ask.store = ReadStore::kSearch;
  if (world_.Below(2) == 0) {
    ask.min_seq = told.number;
  } else {
    ask.min_position = told.position;
  }
  const std::uint64_t cuts = world_.power_cuts;
  ReadSeen seen = node->Read(world_.environment(), ask, milliseconds(500 + world_.Below(4000)));
  // One that was under way while the sinks went back in time proves nothing.
  if (seen.answered && cuts == world_.power_cuts) record_.reads.push_back({ask, std::move(seen)});
}

void PipelineHistory::Record(const WriteRequest& request, const WriteAnswer& answer,
                             Duration called, Duration returned) {
  for (std::size_t i = 0; i < request.commands.size(); ++i) {
    const WriteCommand& command = request.commands[i];
    const ItemAnswer& item = answer.items[i];
    ObservedCall call;
    call.id = CommandIdOf(request, i);
    call.aggregate = item.aggregate;
    call.operation = command.operation;
    call.expected = command.expected_seq;
    call.called = called;
    if (answer.code != WriteCode::kUnknown) call.returned = returned;
    call.code = item.code;
    // Some items of a transaction say no more than that it was refused.
    if (item.code == WriteCode::kAccepted && answer.code != WriteCode::kAccepted) {
      call.code = WriteCode::kTransactionFailed;
    }
    call.actual = item.actual_seq;
    // A check that failed is told in the place of the last item.
    if (answer.index >= request.commands.size() && i + 1 == request.commands.size()) {
      const WriteCheck& check = request.checks.at(answer.index - request.commands.size());
      call.aggregate = AggregateKey::Instance(kDatabase, "main", check.class_id, check.instance_id);
      call.operation = Operation::kUpdate;
      call.expected = check.expected;
    }
    record_.calls.push_back(std::move(call));
  }
}

// What the client learns, and what it was promised. True: it knows what became of the request.
bool PipelineHistory::Observe(const WriteRequest& request, const WriteAnswer& answer) {
  for (std::size_t i = 0; i < request.commands.size(); ++i) {
    const ItemAnswer& item = answer.items[i];
    Known& known = KnownOf(request.commands[i]);
    if (item.code == WriteCode::kKeyReused) {
      report_.violations.push_back("a repetition was taken for another request: " +
                                   item.command_id.ToString());
    }
    if (item.code == WriteCode::kConflict && item.actual_seq.value > 0) {
      known.number = item.actual_seq;
      if (request.commands[i].operation == Operation::kCreate) known.present = true;
    }
    if (item.code == WriteCode::kNotFound) known.present = false;
    if (answer.code != WriteCode::kAccepted) continue;
    told_.push_back({item.command_id, item.aggregate, item.number, request.commands[i].expected_seq,
                     item.position});
    if (item.number < known.number) continue;
    known = {item.number, request.commands[i].operation != Operation::kDelete};
  }
  switch (answer.code) {
    case WriteCode::kUnknown:
    case WriteCode::kUnavailable:
    case WriteCode::kOntologyPending:
    case WriteCode::kBusy: return false;
    default: return true;
  }
}

bool PipelineHistory::Deliver(WriteRequest request) {
  SimProcess& self = world_.environment();
  bool in_doubt = false;
  if (request.kind == WriteKind::kTransaction) {
    ObservedTransaction transaction;
    for (std::size_t i = 0; i < request.commands.size(); ++i) {
      transaction.ids.push_back(CommandIdOf(request, i));
    }
    for (const WriteCheck& check : request.checks) {
      transaction.checks.emplace_back(
          AggregateKey::Instance(kDatabase, "main", check.class_id, check.instance_id),
          check.expected);
    }
    record_.transactions.push_back(std::move(transaction));
  }
  for (int attempt = 0; attempt < 6 && !self.StopRequested(); ++attempt) {
    PipelineNode* node = world_.AnyLive(kOms);
    if (node == nullptr) {
      self.SleepFor(milliseconds(200));
      continue;
    }
    world_.sim().Remark([&] { return "asks " + node->process().name() + ": " + TextOf(request); });
    const Duration called = world_.sim().Now();
    WriteAnswer answer = node->Call(self, request, milliseconds(300 + world_.Below(3000)));
    Record(request, answer, called, world_.sim().Now());
    world_.sim().Remark([&] { return "hears: " + TextOf(answer); });
    const bool known = Observe(request, answer);
    if (answer.code == WriteCode::kAccepted) return true;
    // A refusal is of the attempt that got it: an earlier one may still be under way.
    in_doubt = in_doubt || answer.code == WriteCode::kUnknown;
    if (known) break;
    // Without a key the client has its id from the answer only.
    if (!request.keyed && answer.request_id == EventId()) break;
    request.keyed = true;
    self.SleepFor(milliseconds(world_.Below(200)));
  }
  if (!in_doubt) {
    for (std::size_t i = 0; i < request.commands.size(); ++i) {
      refused_.push_back(CommandIdOf(request, i));
    }
  }
  return false;
}

// The database and the class, again and again until they are there.
void PipelineHistory::MakeOntology() {
  SimProcess& self = world_.environment();
  WriteCommand database;
  database.type = AggregateType::kDatabase;
  WriteCommand thing = ClassUpdate();
  thing.operation = Operation::kCreate;
  thing.expected_seq.reset();
  for (const WriteCommand& command : {database, thing}) {
    while (!self.StopRequested() && !Deliver(RequestOf({command}))) {
      if (KnownOf(command).present) break;
      self.SleepFor(milliseconds(100));
    }
  }
}

void PipelineHistory::Client() {
  SimProcess& self = world_.environment();
  for (std::uint32_t i = 0; i < plan_.requests && !self.StopRequested(); ++i) {
    self.SleepFor(world_.Below(1000) * plan_.LongestThought() / 1000);
    const std::uint32_t what = world_.Below(12);
    if (what == 0) {
      Burst();
    } else {
      Deliver(Draw());
    }
    if (what < 3) ReadBack();
  }
}

void PipelineHistory::Clients() {
  MakeOntology();
  TaskGroup clients(world_.environment());
  for (std::uint32_t c = 0; c < plan_.clients; ++c) clients.Spawn("client", [this] { Client(); });
  clients.JoinAll();
  clients_done_ = true;
}

}  // namespace saffron
