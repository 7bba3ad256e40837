// The CSV reader against a state machine that knows nothing of it; and rows of CSV and JSONL.
#include "app/loader/csv.h"

#include "app/loader/row_source.h"
#include "domain/instance.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

struct Record {
  std::uint64_t line = 1;
  std::vector<std::string> fields;
  friend bool operator==(const Record&, const Record&) = default;
};

struct Table {
  std::vector<Record> records;
  bool malformed = false;  // after these records
  friend bool operator==(const Table&, const Table&) = default;
};

// RFC 4180, byte by byte. Lives for one text.
class Reference {
 public:
  explicit Reference(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Table Read() {
    while (!text_.empty()) {
      if (PassLineEnd()) continue;  // an empty line
      Record record;
      record.line = line_;
      if (!ReadRecord(record)) {
        table_.malformed = true;
        break;
      }
      table_.records.push_back(std::move(record));
    }
    return std::move(table_);
  }

 private:
  char Take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    if (c == '\n') ++line_;
    return c;
  }

  bool PassLineEnd() {
    if (text_.starts_with("\r\n")) Take();
    if (!text_.starts_with('\n')) return false;
    Take();
    return true;
  }

  bool ReadRecord(Record& record) {
    for (;;) {
      std::string& field = record.fields.emplace_back();
      if (!(text_.starts_with('"') ? ReadQuoted(field) : ReadPlain(field))) return false;
      if (text_.empty() || PassLineEnd()) return true;
      if (Take() != ',') return false;
    }
  }

  bool ReadQuoted(std::string& field) {
    Take();
    while (!text_.empty()) {
      const char c = Take();
      if (c != '"') {
        field.push_back(c);
      } else if (text_.starts_with('"')) {
        field.push_back(Take());
      } else {
        return true;
      }
    }
    return false;
  }

  bool ReadPlain(std::string& field) {
    while (!text_.empty() && text_[0] != ',' && text_[0] != '\n' && !text_.starts_with("\r\n")) {
      if (text_[0] == '"' || text_[0] == '\r') return false;
      field.push_back(Take());
    }
    return true;
  }

  std::string_view text_;
  std::uint64_t line_ = 1;
  Table table_;
};

Table ReadAll(std::string_view text) {
  Table table;
  CsvReader reader(text);
  for (;;) {
    Record record;
    const auto more = reader.Next(record.fields);
    Require(reader.position() <= text.size(), "the reader stays within the text");
    if (more.ok() && !*more) return table;
    if (!more.ok()) {
      table.malformed = true;
      Require(!*reader.Next(record.fields), "after an error the reader is at its end");
      return table;
    }
    record.line = reader.line();
    table.records.push_back(std::move(record));
  }
}

std::string Written(const Table& table) {
  std::string out;
  for (const Record& record : table.records) {
    for (const std::string& field : record.fields) {
      out.push_back(&field == record.fields.data() ? '"' : ',');
      if (&field != record.fields.data()) out.push_back('"');
      for (const char c : field) out.append(c == '"' ? 2 : 1, c);
      out.push_back('"');
    }
    out.append("\r\n");
  }
  return out;
}

void CheckRows(std::string_view text, bool jsonl) {
  auto source = RowSource::Open(text, jsonl);
  if (!source.ok()) return;
  RowSource& rows = **source;
  std::uint64_t last_line = 0;
  for (std::size_t steps = 0;; ++steps) {
    Require(steps <= text.size() + 1, "the rows end");
    const RowSource::Step step = rows.Next();
    if (step == RowSource::Step::kEnd) return;
    Require(rows.line() > last_line && rows.position() <= text.size(), "the rows go forward");
    last_line = rows.line();
    if (step == RowSource::Step::kBadRow) {
      Require(!rows.problem().empty(), "what is wrong is said");
      continue;
    }
    if (jsonl) Require(CheckClientJson(rows.Line()).ok(), "a row of JSONL is client JSON");
    for (const std::string& column : rows.Columns()) {
      Require(rows.Find(column) != nullptr, "a row has a cell for each column");
    }
  }
}

}  // namespace

void FuzzCsv(std::string_view bytes) {
  Table table = ReadAll(bytes);
  Require(table == Reference(bytes).Read(), "CSV, as the reference reads it");
  // Written with every field in quotes the same fields come back; lines may be others.
  Table again = ReadAll(Written(table));
  Require(!again.malformed && again.records.size() == table.records.size(), "CSV comes back");
  for (std::size_t i = 0; i < again.records.size(); ++i) {
    Require(again.records[i].fields == table.records[i].fields, "the fields come back");
  }
  CheckRows(bytes, false);
  CheckRows(bytes, true);
}

}  // namespace saffron::fuzz
