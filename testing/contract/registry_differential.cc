#include "testing/contract/registry_differential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/random.h"

namespace saffron {

namespace {

using registry_rows::Batch;
using registry_rows::Event;
using registry_rows::Location;

constexpr std::uint32_t kCommands = 60;
constexpr std::uint32_t kBatches = 12;
// Times that the test writes are below it, an engine's own clock is above.
constexpr std::int64_t kClockStarts = 1'000'000'000;

const std::vector<AggregateKey>& Keys() {
  static const std::vector<AggregateKey> keys = [] {
    std::vector<AggregateKey> all;
    for (const char* id : {"db:main:Order", "db:main:Ord"}) {
      all.push_back({AggregateType::kOntologyClass, id});
      for (const char* instance : {"1", "a:b", "A", "a b", "\xc3\xa4", "12"}) {
        all.push_back({AggregateType::kInstance, std::string(id) + ":" + instance});
      }
    }
    all.push_back({AggregateType::kDatabase, "db"});
    all.push_back({AggregateType::kOntologyHead, "db:main"});
    return all;
  }();
  return keys;
}

const std::vector<std::string>& Handlers() {
  static const std::vector<std::string> handlers = {"instance_worker", "ontology_worker",
                                                    "projection_worker:instance_events"};
  return handlers;
}

// Draws rows and reads. The same seed draws the same.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  std::uint32_t Below(std::uint32_t bound) { return random_.Below(bound); }
  bool OneIn(std::uint32_t n) { return Below(n) == 0; }
  template <class T>
  const T& Of(const std::vector<T>& all) {
    return all[Below(static_cast<std::uint32_t>(all.size()))];
  }
  template <class Make>
  auto Some(std::uint32_t at_most, Make make) {
    std::vector<decltype(make())> all;
    for (std::uint32_t n = Below(at_most + 1); n > 0; --n) all.push_back(make());
    return all;
  }

  SequenceNumber Number() { return SequenceNumber(Below(6)); }
  Lifecycle Life() { return OneIn(2) ? Lifecycle::kAbsent : Lifecycle::kPresent; }
  Scope AnyScope() { return {SequenceNumber(Below(2)), SequenceNumber(Below(2))}; }
  AcceptedState Accepted() { return {Number(), Life(), AnyScope()}; }
  EventLocation Place() { return Location(1 + Below(300), Below(3)); }
  EventId Id() { return Event(Below(kCommands)); }
  BatchId BatchOf() { return Batch(Below(kBatches)); }
  ClaimKey Key() { return {Of(Handlers()), Id()}; }
  ParkKey Park() { return {Of(Handlers()), Of(Keys())}; }
  std::string Text() { return std::string(Below(20), static_cast<char>('a' + Below(26))); }

  AggregateRow Aggregate();
  CommandRow Command();
  Reservation Reserve();
  ClaimRow Claim();
  RegistryRead Read();
  RegistryWrite Write();
  ClaimRead ReadClaims();
  ClaimWrite WriteClaims();

 private:
  RandomBits random_;
};

AggregateRow Draw::Aggregate() {
  AggregateRow row;
  row.key = Of(Keys());
  row.accepted = Accepted();
  row.decided.number = Number();
  row.decided.lifecycle = Life();
  row.decided.scope = AnyScope();
  row.decided.incarnation = Number();
  if (OneIn(2)) row.decided.outcome = Place();
  if (OneIn(3)) row.pending = PendingState{BatchOf(), Accepted()};
  if (OneIn(4)) row.mark = AdmissionMark{Id(), Below(1000), Below(9000)};
  return row;
}

CommandRow Draw::Command() {
  CommandRow row = registry_rows::Reserved(Below(kCommands), Of(Keys()), 1 + Below(300));
  if (OneIn(2)) row.batch = BatchId();
  if (!OneIn(3)) row.location = Place();
  if (OneIn(3)) row.outcome_batch = BatchOf();
  if (OneIn(3)) row.outcome = Place();
  row.outcome_rejected = OneIn(5);
  return row;
}

Reservation Draw::Reserve() {
  // The slot follows from the batch, so that their order is one.
  const std::uint32_t batch = Below(kBatches);
  Reservation row = registry_rows::Reserve(batch, 100 + batch);
  row.resolver = Text();
  row.retry_after_ms = Below(99);
  row.aggregates = Some(3, [&] { return Of(Keys()); });
  row.commands = Some(3, [&] { return Id(); });
  row.outcomes = Some(3, [&] { return Id(); });
  return row;
}

ClaimRow Draw::Claim() {
  ClaimRow row;
  row.key = Key();
  row.aggregate = Of(Keys());
  row.number = Number();
  row.status = static_cast<ClaimStatus>(1 + Below(4));
  row.owner = Of(std::vector<std::string>{"", "me", "you"});
  row.started_ms = Below(99);
  row.heartbeat_ms = Below(99);
  row.processed_ms = Below(99);
  row.attempt_count = Below(5);
  row.last_error = Text();
  row.partition = Below(9);
  row.generation = Below(9);
  return row;
}

RegistryRead Draw::Read() {
  RegistryRead read;
  read.aggregates = Some(8, [&] { return Of(Keys()); });
  read.commands = Some(12, [&] { return Id(); });
  read.reservations = Some(4, [&] { return BatchOf(); });
  read.members = Some(2, [&] { return RegistryRead::Members{Of(Keys()), AnyScope()}; });
  return read;
}

RegistryWrite Draw::Write() {
  RegistryWrite write;
  if (OneIn(4)) {
    write.control = RegistryControl{LogId{Event(Below(3)).uuid}, Text(), SlotNumber(Below(99))};
  }
  write.put_aggregates = Some(5, [&] { return Aggregate(); });
  write.put_commands = Some(8, [&] { return Command(); });
  write.delete_commands = Some(2, [&] { return Id(); });
  write.put_reservations = Some(2, [&] { return Reserve(); });
  write.delete_reservations = Some(2, [&] { return BatchOf(); });
  write.done = Some(3, [&] { return DoneClaim{Of(Handlers()), Id(), Of(Keys()), Number()}; });
  return write;
}

ClaimRead Draw::ReadClaims() {
  ClaimRead read;
  read.claims = Some(8, [&] { return Key(); });
  read.parked = Some(4, [&] { return Park(); });
  read.leases = Some(3, [&] { return std::string(1, static_cast<char>('a' + Below(4))); });
  read.aggregates = Some(4, [&] { return Of(Keys()); });
  read.commands = Some(4, [&] { return Id(); });
  return read;
}

ClaimWrite Draw::WriteClaims() {
  ClaimWrite write;
  write.put_claims = Some(5, [&] { return Claim(); });
  write.put_parked = Some(2, [&] { return ParkedRow{Park(), Number(), Id(), Text(), Below(9)}; });
  write.delete_parked = Some(2, [&] { return Park(); });
  write.put_leases = Some(2, [&] {
    return LeaseRow{std::string(1, static_cast<char>('a' + Below(4))), Text(), Below(9), Below(9)};
  });
  return write;
}

// Takes out what the engine's own clock and incarnation say.
void Normalize(ClaimRow& row) {
  for (std::int64_t* ms : {&row.started_ms, &row.heartbeat_ms, &row.processed_ms}) {
    if (*ms > kClockStarts) *ms = kClockStarts;
  }
}
std::vector<ClaimRow> Normal(std::vector<ClaimRow> rows) {
  for (auto& row : rows) Normalize(row);
  return rows;
}
bool Same(const RegistryRows& a, const RegistryRows& b) {
  auto same_count = [](const MemberCount& x, const MemberCount& y) {
    return x.present == y.present && x.pending == y.pending;
  };
  return a.control == b.control && a.outstanding == b.outstanding && a.aggregates == b.aggregates &&
         a.commands == b.commands && a.reservations == b.reservations &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
                    same_count);
}
bool Same(ClaimRows a, ClaimRows b) {
  for (auto* rows : {&a.claims, &b.claims}) {
    for (auto& [key, row] : *rows) Normalize(row);
  }
  return a.claims == b.claims && a.parked == b.parked && a.leases == b.leases &&
         a.aggregates == b.aggregates && a.commands == b.commands;
}

// A pass through all rows, however many calls it takes; how many rows went.
Result<std::uint64_t> Prune(ClaimRegistry& claims, std::int64_t before_ms) {
  std::uint64_t rows = 0;
  while (true) {
    SAFFRON_ASSIGN(const Pruned pruned, claims.Prune(before_ms, 10));
    rows += pruned.rows;
    if (!pruned.more) return rows;
  }
}

class Differential {
 public:
  Differential(RegistryHome& first, RegistryHome& second,
               const RegistryDifferentialOptions& options)
      : homes_{&first, &second}, options_(options) {}

  void Run();

 private:
  void Reopen() {
    for (int i : {0, 1}) {
      open_[i] = {};
      open_[i] = homes_[i]->Open();
    }
  }
  // Calls both and compares; both must succeed.
  template <class Call>
  void Both(const char* what, Call call) {
    auto a = call(open_[0]);
    auto b = call(open_[1]);
    ASSERT_TRUE(a.ok()) << what << ": " << a.error().ToString();
    ASSERT_TRUE(b.ok()) << what << ": " << b.error().ToString();
    EXPECT_TRUE(*a == *b) << what << " differs";
  }
  void Transact(std::uint64_t seed);
  void TransactClaims(std::uint64_t seed);
  void Scan(Draw& draw);
  void Claims(Draw& draw);
  void Dump();
  void ExpectIndexesFollowRows(const RegistryRows& rows);

  RegistryHome* const homes_[2];
  const RegistryDifferentialOptions options_;
  OpenRegistry open_[2];
};

void Differential::Run() {
  Reopen();
  Draw seeds(options_.seed);
  for (int i = 0; i < options_.operations && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(options_.seed) + ", operation " + std::to_string(i));
    if (options_.reopen_every > 0 && i % options_.reopen_every == options_.reopen_every - 1)
      Reopen();
    const std::uint64_t seed = options_.seed << 32 | static_cast<std::uint32_t>(i);
    Draw draw(seed);
    switch (seeds.Below(10)) {
      case 0:
      case 1:
      case 2:
      case 3: Transact(seed); break;
      case 4:
      case 5: TransactClaims(seed); break;
      case 6:
      case 7: Scan(draw); break;
      case 8: Claims(draw); break;
      default:
        if (seeds.OneIn(40)) {
          ASSERT_TRUE(open_[0].append->Clear().ok() && open_[1].append->Clear().ok());
        }
    }
    if (i % 50 == 0) Dump();
  }
  Reopen();
  Dump();
}

// What is written depends on what was read, too.
void Differential::Transact(std::uint64_t seed) {
  std::optional<RegistryRows> seen[2];
  for (int i : {0, 1}) {
    Draw draw(seed);
    const RegistryRead read = draw.Read();
    const Status done = open_[i].append->Transact(read, [&](const RegistryRows& rows) {
      seen[i] = rows;
      Draw again(seed + rows.outstanding + rows.commands.size());
      if (again.OneIn(10)) return RegistryWrite();
      return again.Write();
    });
    ASSERT_TRUE(done.ok()) << done.error().ToString();
  }
  EXPECT_TRUE(seen[0] && seen[1] && Same(*seen[0], *seen[1])) << "Transact reads differ";
}

void Differential::TransactClaims(std::uint64_t seed) {
  std::optional<ClaimRows> seen[2];
  for (int i : {0, 1}) {
    Draw draw(seed);
    const ClaimRead read = draw.ReadClaims();
    const Status done = open_[i].claims->Transact(read, [&](const ClaimRows& rows) {
      seen[i] = rows;
      return Draw(seed + rows.claims.size()).WriteClaims();
    });
    ASSERT_TRUE(done.ok()) << done.error().ToString();
  }
  EXPECT_TRUE(seen[0] && seen[1] && Same(*seen[0], *seen[1])) << "claims' Transact reads differ";
}

void Differential::Scan(Draw& draw) {
  const AggregateKey key = draw.Of(Keys());
  const SequenceNumber from(draw.Below(300)), to(from.value + draw.Below(300));
  const std::size_t limit = draw.Below(20);
  const Position after{0, SlotNumber(draw.OneIn(2) ? 0 : draw.Below(300)), draw.Below(3)};
  const std::string prefix = key.id.substr(0, draw.Below(12));
  const std::string above = draw.OneIn(2) ? "" : draw.Of(Keys()).id;
  Both("CommandsOf", [&](auto& open) { return open.append->CommandsOf(key, from, to, limit); });
  Both("Undecided", [&](auto& open) { return open.append->Undecided(after, limit); });
  Both("List", [&](auto& open) { return open.append->List(key.type, prefix, above, limit); });
  Both("Reservations", [](auto& open) { return open.append->Reservations(); });
}

void Differential::Claims(Draw& draw) {
  const std::string handler = draw.Of(Handlers());
  const std::uint32_t shard = draw.Below(2);
  const PublishedRow row{
      shard, SlotNumber(draw.Below(300)), {{{"topic", draw.Below(3)}, draw.Below(1000)}}};
  const SlotNumber below(draw.Below(300)), at(draw.Below(300));
  switch (draw.Below(4)) {
    case 0: Both("Heartbeat", [&](auto& o) { return o.claims->Heartbeat(handler, "me"); }); break;
    case 1: Both("Prune", [](auto& o) { return Prune(*o.claims, 50); }); break;
    case 2:
      for (auto& open : open_) ASSERT_TRUE(open.claims->PutPublished(row, below).ok());
      break;
    default: break;
  }
  Both("PublishedAt", [&](auto& open) { return open.claims->PublishedAt(shard, at); });
  const ParkKey after = draw.Park();
  const std::size_t limit = draw.Below(9);
  Both("Parked", [&](auto& open) { return open.claims->Parked(handler, after, limit); });
  Both("all Parked", [&](auto& open) { return open.claims->Parked("", after, limit); });
}

// Every row that can be read, and the indexes against the rows themselves.
void Differential::Dump() {
  RegistryRead read;
  ClaimRead claims;
  read.aggregates = Keys();
  for (std::uint32_t i = 0; i < kCommands; ++i) read.commands.push_back(Event(i));
  for (std::uint32_t i = 0; i < kBatches; ++i) read.reservations.push_back(Batch(i));
  for (const auto& key : Keys()) read.members.push_back({key, Scope()});
  for (const auto& handler : Handlers()) {
    for (const auto& id : read.commands) claims.claims.push_back({handler, id});
  }
  claims.leases = {"a", "b", "c", "d"};
  const auto a = open_[0].append->Read(read), b = open_[1].append->Read(read);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE(Same(*a, *b)) << "rows differ";
  const auto c = open_[0].claims->Read(claims), d = open_[1].claims->Read(claims);
  ASSERT_TRUE(c.ok() && d.ok());
  EXPECT_TRUE(Same(*c, *d)) << "claims differ";
  Both("Parked", [](auto& open) { return open.claims->Parked("", std::nullopt, 9999); });
  for (const auto& handler : Handlers()) {
    for (int status = 1; status <= 4; ++status) {
      Both("ClaimsWith", [&](auto& open) -> Result<std::vector<ClaimRow>> {
        auto rows = open.claims->ClaimsWith(handler, static_cast<ClaimStatus>(status), 9999);
        if (!rows.ok()) return rows;
        return Normal(std::move(*rows));
      });
    }
  }
  ExpectIndexesFollowRows(*a);
}

void Differential::ExpectIndexesFollowRows(const RegistryRows& rows) {
  std::set<std::pair<Position, EventId>> undecided;
  std::map<AggregateKey, std::set<std::pair<SequenceNumber, EventId>>> settled;
  for (const auto& [id, row] : rows.commands) {
    if (!row.settled()) continue;
    settled[row.aggregate].emplace(row.number, id);
    if (!row.outcome) undecided.emplace(row.location->position, id);
  }
  for (auto& open : open_) {
    const auto listed = open.append->Undecided({}, 9999);
    ASSERT_TRUE(listed.ok());
    std::set<std::pair<Position, EventId>> found;
    for (const auto& row : *listed) found.emplace(row.location->position, row.id);
    EXPECT_EQ(found.size(), listed->size());
    EXPECT_TRUE(found == undecided) << "the work list is not that of the rows";
    for (const auto& key : Keys()) {
      const auto of = open.append->CommandsOf(key, SequenceNumber(0), SequenceNumber(999), 9999);
      ASSERT_TRUE(of.ok());
      std::set<std::pair<SequenceNumber, EventId>> numbers;
      for (const auto& row : *of) numbers.emplace(row.number, row.id);
      EXPECT_TRUE(numbers == settled[key])
          << "commands of " << key.id << " are not those of the rows";
    }
  }
}

}  // namespace

void RunRegistryDifferential(RegistryHome& first, RegistryHome& second,
                             const RegistryDifferentialOptions& options) {
  Differential(first, second, options).Run();
}

}  // namespace saffron
