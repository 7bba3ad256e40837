// The claim side of PostgresRegistry.
#include <algorithm>
#include <iterator>
#include <utility>

#include "adapters/postgres/postgres_registry.h"
#include "adapters/postgres/reading.h"

namespace saffron {

using postgres::AllStatements;
using postgres::Answer;
using postgres::Connection;
using postgres::Fields;
using postgres::Pool;
using postgres::Rows;
using Tried = Pool::Tried;

namespace {

constexpr std::size_t kFrame = 3;           // the statements before the reads
constexpr std::size_t kClaimsOfAPage = 40;  // typically

}  // namespace

Status PostgresRegistry::Transact(const ClaimRead& read, const ClaimRegistry::Decide& decide) {
  Status decoded;
  postgres::Puts puts = postgres::Puts::kInsert;
  const Status done = pool_->Perform([&](Connection& connection) -> Tried {
    const postgres::Statements& s = AllStatements();
    for (const auto* statement : {&s.begin_snapshot, &s.commit_unflushed, &s.lock_claims}) {
      connection.Add(*statement);
    }
    for (auto& [statement, values] : postgres::PlanOf(options_.handler_prefix, read)) {
      connection.Add(*statement, std::move(values));
    }
    Answer answer = pool_->Run(connection);
    if (answer.failure) return {std::move(answer.failure)};
    Result<ClaimRows> rows = postgres::Decode(read, answer.rows, kFrame);
    decoded = rows.ok() ? Ok() : Status(rows.error());
    if (!rows.ok()) return pool_->Commit(connection, {});
    Tried tried = pool_->Commit(connection, postgres::PlanOf(*rows, decide(*rows), puts));
    puts = postgres::NextPuts(tried.failure, puts);
    return tried;
  });
  ++transactions_;
  SAFFRON_TRY(std::move(decoded));
  return done;
}

Result<ClaimRows> PostgresRegistry::Read(const ClaimRead& read) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    Pool::Plan plan = {{&AllStatements().begin_reading, {}}};
    Pool::Plan reads = postgres::PlanOf(options_.handler_prefix, read);
    std::move(reads.begin(), reads.end(), std::back_inserter(plan));
    plan.push_back({&AllStatements().commit, {}});
    return plan;
  }));
  return postgres::Decode(read, answers, 1);
}

Result<std::uint64_t> PostgresRegistry::Heartbeat(const std::string& handler,
                                                  const std::string& owner) {
  const postgres::Statements& s = AllStatements();
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kCommits, [&] {
    return Pool::Plan{{&s.begin, {}},
                      {&s.lock_claims, {}},
                      {&s.heartbeat, {postgres::Text(handler), postgres::Text(owner)}},
                      {&s.commit, {}}};
  }));
  return answers[2].affected();
}

Result<std::vector<ClaimRow>> PostgresRegistry::ClaimsWith(const std::string& handler,
                                                           ClaimStatus status, std::size_t limit) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    std::vector<postgres::Value> values = {postgres::Text(handler), postgres::Limit(limit)};
    const bool in_flight = status == ClaimStatus::kProcessing;
    if (!in_flight) values.push_back(postgres::Text(postgres::StatusName(status)));
    const postgres::Statements& s = AllStatements();
    return Pool::Plan{{in_flight ? &s.claims_in_flight : &s.claims_with, std::move(values)}};
  }));
  std::vector<ClaimRow> found;
  for (int i = 0; i < answers[0].size(); ++i) {
    SAFFRON_ASSIGN(ClaimRow row, postgres::DecodeClaim(Fields(answers[0], i)));
    found.push_back(std::move(row));
  }
  return found;
}

Result<std::vector<ParkedRow>> PostgresRegistry::Parked(const std::string& handler,
                                                        const std::optional<ParkKey>& after,
                                                        std::size_t limit) {
  const ParkKey above = after.value_or(ParkKey{"", {AggregateType{}, ""}});
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    return Pool::Plan{{&AllStatements().all_parked,
                       {postgres::Text(handler), postgres::Text(above.handler),
                        postgres::Int2(static_cast<std::uint16_t>(above.aggregate.type)),
                        postgres::Text(above.aggregate.id), postgres::Limit(limit)}}};
  }));
  std::vector<ParkedRow> found;
  for (int i = 0; i < answers[0].size(); ++i) {
    SAFFRON_ASSIGN(ParkedRow row, postgres::DecodeParked(Fields(answers[0], i)));
    found.push_back(std::move(row));
  }
  return found;
}

Status PostgresRegistry::PutPublished(const PublishedRow& row, SlotNumber prune_below) {
  const postgres::Statements& s = AllStatements();
  Result<std::vector<Rows>> put = pool_->Call(Pool::Effect::kCommits, [&] {
    return Pool::Plan{
        {&s.begin, {}},
        {&s.put_published,
         {postgres::Int4(row.shard), postgres::Int8(row.slot.value), postgres::EncodeEnds(row)}},
        {&s.prune_published, {postgres::Int4(row.shard), postgres::Limit(prune_below.value)}},
        {&s.commit, {}}};
  });
  return put.ok() ? Ok() : Status(put.error());
}

Result<std::optional<PublishedRow>> PostgresRegistry::PublishedAt(std::uint32_t shard,
                                                                  SlotNumber slot) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    return Pool::Plan{
        {&AllStatements().published_at, {postgres::Int4(shard), postgres::Limit(slot.value)}}};
  }));
  if (answers[0].size() == 0) return {std::nullopt};
  SAFFRON_ASSIGN(PublishedRow row, postgres::DecodePublished(shard, Fields(answers[0], 0)));
  return {std::move(row)};
}

Result<Pruned> PostgresRegistry::Prune(std::int64_t processed_before_ms, std::size_t limit) {
  const postgres::Statements& s = AllStatements();
  const std::uint64_t from = prune_page_, to = from + limit / kClaimsOfAPage + 1;
  const auto start = [](std::uint64_t page) {
    return postgres::Text("(" + std::to_string(page) + ",0)");
  };
  postgres::Arrays handlers({postgres::Type::kText});
  for (int type = 1; type <= static_cast<int>(AggregateType::kOntologyHead); ++type) {
    handlers.Text(
        postgres::AllocatorHandler(options_.handler_prefix, static_cast<AggregateType>(type)));
  }
  const std::vector<postgres::Value> values = {postgres::TimeOf(processed_before_ms),
                                               handlers.Take()[0], start(from), start(to)};
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kCommits, [&] {
    return Pool::Plan{{&s.begin, {}},
                      {&s.lock_claims, {}},
                      {&s.claim_pages, {}},
                      {&s.prune, values},
                      {&s.commit, {}}};
  }));
  const bool more = to < Fields(answers[2], 0).Int8();
  prune_page_ = more ? to : 0;
  return Pruned{answers[3].affected(), more};
}

}  // namespace saffron
