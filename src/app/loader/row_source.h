// The rows of one file, CSV or JSONL, as named cells.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace saffron {

// A file read through the page cache, so that its size does not matter. For one thread.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view text() const { return {data_, size_}; }

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}

  const char* data_;
  std::size_t size_;
};

// A cell of a row. JSONL keeps what kind of value it was: a number is no text there.
struct Cell {
  std::string text;      // of a string its text, of other JSON values their raw text
  bool is_json = false;  // raw JSON, not text
};

// For one thread; the text outlives it.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // kInvalid when the file has no header.
  static Result<std::unique_ptr<RowSource>> Open(std::string_view text, bool jsonl);

  enum class Step { kRow, kBadRow, kEnd };
  // kBadRow: problem() says why; the rows after it may still be read.
  virtual Step Next() = 0;
  // Null when the row has no such cell.
  virtual const Cell* Find(const std::string& column) const = 0;
  // Of the header (CSV) or of this row (JSONL).
  virtual std::vector<std::string> Columns() const = 0;
  // Of JSONL the line, of CSV empty.
  virtual std::string_view Line() const = 0;
  virtual std::uint64_t line() const = 0;
  virtual std::size_t position() const = 0;  // bytes
  const std::string& problem() const { return problem_; }

 protected:
  std::string problem_;
};

}  // namespace saffron
