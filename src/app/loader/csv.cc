#include "app/loader/csv.h"

#include <algorithm>

namespace saffron {

CsvReader::CsvReader(std::string_view text) : text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

bool CsvReader::AtLineEnd() const {
  return at_ >= text_.size() || text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n";
}

void CsvReader::PassLineEnd() {
  if (at_ >= text_.size()) return;
  at_ += text_[at_] == '\r' ? 2 : 1;
  ++line_;
}

Status CsvReader::ReadQuoted(std::string& field) {
  ++at_;
  for (;;) {
    std::size_t quote = text_.find('"', at_);
    if (quote == std::string_view::npos) return Invalid("a quoted field has no end");
    std::string_view part = text_.substr(at_, quote - at_);
    line_ += static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n'));
    field.append(part);
    at_ = quote + 1;
    if (at_ >= text_.size() || text_[at_] != '"') break;
    field.push_back('"');
    ++at_;
  }
  if (!AtLineEnd() && text_[at_] != ',') return Invalid("text after the quote that ends a field");
  return Ok();
}

Status CsvReader::ReadField(std::string& field) {
  field.clear();
  if (at_ < text_.size() && text_[at_] == '"') return ReadQuoted(field);
  std::size_t end = std::min(text_.find_first_of(",\n\r\"", at_), text_.size());
  field.assign(text_.substr(at_, end - at_));
  at_ = end;
  if (AtLineEnd() || text_[at_] == ',') return Ok();
  return Invalid(text_[at_] == '"' ? "a quote inside a field that is not quoted"
                                   : "a carriage return that ends no line");
}

Result<bool> CsvReader::Next(std::vector<std::string>& fields) {
  while (at_ < text_.size() && AtLineEnd()) PassLineEnd();
  record_line_ = line_;
  if (at_ >= text_.size()) return false;
  std::size_t count = 0;
  for (;;) {
    if (count == fields.size()) fields.emplace_back();
    Status status = ReadField(fields[count++]);
    if (!status.ok()) {
      at_ = text_.size();
      return std::move(status).error();
    }
    if (AtLineEnd()) break;
    ++at_;  // the comma
  }
  PassLineEnd();
  fields.resize(count);
  return true;
}

}  // namespace saffron
