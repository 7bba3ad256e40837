// PostgreSQL's binary forms: parameters, and the columns of a result. Numbers of ours are unsigned
// and go into bigint and integer bit by bit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

typedef struct pg_result PGresult;

namespace saffron::postgres {

// One parameter of a statement.
struct Value {
  std::string bytes;
};
Value Int8(std::uint64_t value);
Value Int4(std::uint32_t value);
Value Int2(std::uint16_t value);
Value Text(std::string_view value);
Value TimeOf(std::int64_t unix_ms);
// As many as bigint can say.
Value Limit(std::uint64_t value);

// What may stand in a column of text: UTF-8 without zero bytes. For text that we did not make.
std::string StorableText(std::string_view text);

enum class Type : std::uint8_t { kBool, kBytes, kInt8, kInt2, kInt4, kText, kTime, kUuid };
std::string_view SqlNameOf(Type type);

// Rows as one array a column, for unnest: fields are put in the order of the columns, row after
// row.
class Arrays {
 public:
  explicit Arrays(std::vector<Type> types);

  Arrays& Bool(bool value);
  Arrays& Int2(std::uint16_t value);
  Arrays& Int4(std::uint32_t value);
  Arrays& Int8(std::uint64_t value);
  Arrays& Text(std::string_view value);
  Arrays& Bytes(std::string_view value);
  Arrays& Time(std::int64_t unix_ms);
  Arrays& Uuid(const saffron::Uuid& value);
  Arrays& Null(int fields = 1);

  bool empty() const { return next_ == 0 && (columns_.empty() || columns_[0].count == 0); }
  std::vector<Value> Take();

 private:
  struct Column {
    Type type;
    std::uint32_t count = 0;
    bool has_null = false;
    std::string elements;
  };
  std::string& Next(Type type, std::uint32_t length);

  std::vector<Column> columns_;
  std::size_t next_ = 0;
};

// The answer to one statement. Owns it; views live as long.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result, &Clear) {}

  int size() const;
  // Rows written, by the server's word.
  std::uint64_t affected() const;
  PGresult* handle() const { return result_.get(); }

 private:
  static void Clear(PGresult* result);
  std::unique_ptr<PGresult, void (*)(PGresult*)> result_;
};

// Reads the fields of one row one after another. A null reads as zero, empty or nil, and so does
// what has not the form of its type: then the row is damaged from there on.
class Fields {
 public:
  Fields(const Rows& rows, int row) : result_(rows.handle()), row_(row) {}

  bool IsNull() const;  // the next one
  bool whole() const { return whole_; }
  void Damaged() { whole_ = false; }
  Fields& Skip(int fields) {
    column_ += fields;
    return *this;
  }
  bool Bool() { return Integer(1) != 0; }
  std::uint16_t Int2() { return static_cast<std::uint16_t>(Integer(2)); }
  std::uint32_t Int4() { return static_cast<std::uint32_t>(Integer(4)); }
  std::uint64_t Int8() { return Integer(8); }
  std::string Text() { return std::string(View()); }
  std::string_view View();
  std::int64_t Time();
  saffron::Uuid Uuid();

 private:
  std::uint64_t Integer(std::size_t bytes);

  PGresult* const result_;
  const int row_;
  int column_ = 0;
  bool whole_ = true;
};

}  // namespace saffron::postgres
