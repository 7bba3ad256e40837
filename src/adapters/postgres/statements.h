// The tables as arrays see them, and every statement that runs on them. Names without a schema: the
// session's search_path has it alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/postgres/connection.h"
#include "adapters/postgres/values.h"

namespace saffron::postgres {

struct TableColumn {
  std::string_view name;
  Type type;
};

// What is read and written of a table, keys first.
struct Table {
  std::string_view name;
  std::vector<TableColumn> columns;
  std::size_t keys = 1;

  std::vector<Type> types() const;
  std::string names(std::string_view qualifier = "") const;  // "a, b, c"
};

struct Tables {
  Table aggregates, commands, reservations, claims, parked, leases, undecided;
};
const Tables& AllTables();

// Parameters are listed as the statement counts them; "array" ones are the keys' columns.
struct Statements {
  Statement begin, begin_snapshot, begin_reading, commit;
  Statement commit_unflushed;  // this transaction's COMMIT does not wait for the disk
  Statement flush;             // returns when everything committed so far is on disk
  Statement lock_append, lock_claims;
  Statement unbounded;  // this transaction takes as long as it takes
  Statement notify;     // channel, payload

  Statement control;       // -> log, incarnation, next slot, now, outstanding, live incarnation
  Statement put_control;   // log (nil: none), incarnation, next slot
  Statement aggregates;    // handler array, id array
  Statement commands;      // event array
  Statement reservations;  // batch array
  Statement members;       // handler, from id, below id, database, class -> present, pending
  Statement insert_aggregates, insert_commands;
  Statement put_aggregates, put_commands, put_reservations;
  Statement update_aggregates, update_commands;
  Statement delete_commands, delete_reservations;  // id array
  Statement insert_undecided, delete_undecided;    // columns of undecided
  Statement forget_undecided;                      // event array, before their rows change
  Statement put_done;                              // columns of claims
  Statement put_consumed;  // handler array, id array, number array, now, type array

  Statement all_reservations, commands_of, list, undecided;

  Statement claims;  // handler array, event array
  Statement parked;  // handler array, type array, id array
  Statement leases;  // name array
  Statement insert_claims, put_claims, put_parked, put_leases;
  Statement update_claims;
  Statement delete_parked;     // as parked
  Statement heartbeat;         // handler, owner
  Statement claims_in_flight;  // handler, limit
  Statement claims_with;       // handler, limit, status
  Statement all_parked;        // handler ("": all), after: handler, type, id; limit
  Statement put_published, prune_published, published_at;
  Statement claim_pages;  // -> of the table
  Statement prune;        // before, handlers of the allocator by type, from page, to page: as tid

  std::vector<Statement> clear;
  Statement try_fence_lock;  // key -> bool
};
const Statements& AllStatements();

}  // namespace saffron::postgres
