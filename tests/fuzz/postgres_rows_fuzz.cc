// Rows of the registry in PostgreSQL: what is read, written as the arrays of an insert and read
// again, is the same. The first byte of an input says of which table; then each field: a byte for
// its length (255: null), and its bytes.
#include "adapters/postgres/rows.h"

#include <libpq-fe.h>

#include <optional>

#include "base/bytes.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

using postgres::Fields;
using postgres::Rows;
using postgres::Value;
using Field = std::optional<std::string>;

constexpr std::string_view kPrefix = "saffron";

// As many fields as there are columns; those that are not there are null.
std::vector<Field> TakeFields(std::string_view bytes, std::size_t columns) {
  std::vector<Field> fields(columns);
  ByteReader reader(bytes);
  for (Field& field : fields) {
    std::uint8_t size = 255;
    std::string_view content;
    if (!reader.ReadU8(size) || size == 255) continue;
    if (reader.ReadBytes(size, content)) field = content;
  }
  return fields;
}

// One row, as libpq gives it.
Rows RowOf(std::vector<Field> fields) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  char name[] = "column";
  std::vector<PGresAttDesc> columns(fields.size(), PGresAttDesc{name, 0, 0, 1, 0, -1, -1});
  Require(PQsetResultAttrs(result, static_cast<int>(columns.size()), columns.data()) != 0,
          "columns are set");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    char* bytes = fields[i] ? fields[i]->data() : nullptr;
    const int size = fields[i] ? static_cast<int>(fields[i]->size()) : -1;
    Require(PQsetvalue(result, 0, static_cast<int>(i), bytes, size) != 0, "a field is set");
  }
  return Rows(result);
}

// The first element of each array: number of dimensions, whether there are nulls, type, size,
// lower bound, elements with their lengths before them (PostgreSQL's array_send).
std::vector<Field> FirstElements(const std::vector<Value>& arrays) {
  std::vector<Field> fields;
  for (const Value& array : arrays) {
    ByteReader reader(array.bytes);
    std::uint32_t word = 0, nulls = 0, count = 0, size = 0;
    std::string_view content;
    Require(reader.ReadU32BigEndian(word) && word == 1, "an array has one dimension");
    Require(reader.ReadU32BigEndian(nulls) && nulls <= 1, "it says whether there are nulls");
    Require(reader.ReadU32BigEndian(word) && reader.ReadU32BigEndian(count) && count == 1,
            "it has one element");
    Require(reader.ReadU32BigEndian(word) && word == 1, "it begins at 1");
    Require(reader.ReadU32BigEndian(size), "an element has a length");
    Field& field = fields.emplace_back();
    if (size != UINT32_MAX) {
      Require(reader.ReadBytes(size, content), "and its bytes");
      field = content;
    }
    Require(field.has_value() || nulls == 1, "a null is told");
    Require(reader.AtEnd(), "nothing follows");
  }
  return fields;
}

// No column of text holds bytes that are no UTF-8.
void AsStored(ClaimRow& row) { row.last_error = postgres::StorableText(row.last_error); }
void AsStored(ParkedRow& row) { row.reason = postgres::StorableText(row.reason); }
template <class Row>
void AsStored(Row&) {}

template <class Row, class Decode, class Encode>
void CheckRow(std::string_view bytes, const postgres::Table& table, Decode decode, Encode encode) {
  Result<Row> row = decode(Fields(RowOf(TakeFields(bytes, table.columns.size())), 0));
  if (!row.ok()) return Require(row.Is(Code::kCorrupt), "what is no row is damaged");
  AsStored(*row);
  const Result<Row> again = decode(Fields(RowOf(FirstElements(encode({*row}))), 0));
  Require(again.ok() && *again == *row, "a row comes back as it was");
}

void CheckPublished(std::string_view bytes) {
  const auto row = postgres::DecodePublished(0, Fields(RowOf(TakeFields(bytes, 2)), 0));
  if (!row.ok()) return Require(row.Is(Code::kCorrupt), "what is no row is damaged");
  const std::vector<Field> fields = {postgres::Int8(row->slot.value).bytes,
                                     postgres::EncodeEnds(*row).bytes};
  const auto again = postgres::DecodePublished(0, Fields(RowOf(fields), 0));
  Require(again.ok() && *again == *row, "a row comes back as it was");
}

void CheckText(std::string_view bytes) {
  const std::string text = postgres::StorableText(bytes);
  Require(text.find('\0') == std::string::npos, "text has no zero bytes");
  Require(postgres::StorableText(text) == text, "text that may be stored is");
}

}  // namespace

void FuzzPostgresRows(std::string_view bytes) {
  CheckText(bytes);
  if (bytes.empty()) return;
  const auto encode = [](auto rows) { return postgres::Encode(rows); };
  const postgres::Tables& tables = postgres::AllTables();
  const std::string_view row = bytes.substr(1);
  switch (static_cast<unsigned char>(bytes[0]) % 7) {
    case 0:
      return CheckRow<AggregateRow>(
          row, tables.aggregates, postgres::DecodeAggregate,
          [](std::vector<AggregateRow> rows) { return postgres::Encode(kPrefix, rows, 0); });
    case 1:
      return CheckRow<CommandRow>(row, tables.commands, postgres::DecodeCommand,
                                  [&](std::vector<CommandRow> rows) { return encode(rows); });
    case 2:
      return CheckRow<Reservation>(row, tables.reservations, postgres::DecodeReservation,
                                   [&](std::vector<Reservation> rows) { return encode(rows); });
    case 3:
      return CheckRow<ClaimRow>(row, tables.claims, postgres::DecodeClaim,
                                [&](std::vector<ClaimRow> rows) { return encode(rows); });
    case 4:
      return CheckRow<ParkedRow>(row, tables.parked, postgres::DecodeParked,
                                 [&](std::vector<ParkedRow> rows) { return encode(rows); });
    case 5:
      return CheckRow<LeaseRow>(row, tables.leases, postgres::DecodeLease,
                                [&](std::vector<LeaseRow> rows) { return encode(rows); });
    default: return CheckPublished(row);
  }
}

}  // namespace saffron::fuzz
