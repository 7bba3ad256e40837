// CSV as RFC 4180 has it, strictly: a quote only around a whole field or doubled within one; line
// breaks, commas and quotes inside of quotes. Lines end with CRLF or LF; a byte order mark at the
// beginning is passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace saffron {

// Reads records from borrowed text, one after the other. For one thread. After an error it is at
// its end: where the next record begins is not known.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text);

  // The fields of the next record; false at the end. An empty line is passed over. kInvalid: what
  // is wrong, without the line (see line()).
  Result<bool> Next(std::vector<std::string>& fields);
  // Where the record (or the error) of the last call begins, counted from 1.
  std::uint64_t line() const { return record_line_; }
  // Bytes behind the reader.
  std::size_t position() const { return at_; }

 private:
  bool AtLineEnd() const;
  void PassLineEnd();
  Status ReadField(std::string& field);
  Status ReadQuoted(std::string& field);

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 1;
  std::uint64_t record_line_ = 1;
};

}  // namespace saffron
