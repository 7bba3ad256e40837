#include "app/loader/row_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "app/json_view.h"
#include "app/loader/csv.h"
#include "domain/instance.h"

namespace saffron {
namespace {

class CsvSource final : public RowSource {
 public:
  explicit CsvSource(std::string_view text) : reader_(text) {}

  Status ReadHeader() {
    auto more = reader_.Next(header_);
    if (!more.ok()) return Invalid("line 1: " + more.error().message());
    if (!*more) return Invalid("the file is empty; its first line names the columns");
    for (std::size_t i = 0; i < header_.size(); ++i) {
      if (!index_.emplace(header_[i], i).second) {
        return Invalid("line 1: two columns are named \"" + header_[i] + "\"");
      }
    }
    return Ok();
  }

  Step Next() override {
    auto more = reader_.Next(fields_);
    if (!more.ok()) {
      problem_ = more.error().message() + "; the rest of the file cannot be read";
      return Step::kBadRow;
    }
    if (!*more) return Step::kEnd;
    if (fields_.size() != header_.size()) {
      problem_ = std::to_string(fields_.size()) + " fields, the header has " +
                 std::to_string(header_.size());
      return Step::kBadRow;
    }
    cells_.resize(fields_.size());
    for (std::size_t i = 0; i < fields_.size(); ++i) cells_[i].text.swap(fields_[i]);
    return Step::kRow;
  }

  const Cell* Find(const std::string& column) const override {
    auto found = index_.find(column);
    return found == index_.end() ? nullptr : &cells_[found->second];
  }
  std::vector<std::string> Columns() const override { return header_; }
  std::string_view Line() const override { return {}; }
  std::uint64_t line() const override { return reader_.line(); }
  std::size_t position() const override { return reader_.position(); }

 private:
  CsvReader reader_;
  std::vector<std::string> header_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> fields_;
  std::vector<Cell> cells_;
};

class JsonlSource final : public RowSource {
 public:
  explicit JsonlSource(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  Step Next() override {
    do {
      if (at_ >= text_.size()) return Step::kEnd;
      std::size_t end = std::min(text_.find('\n', at_), text_.size());
      line_text_ = text_.substr(at_, end - at_);
      if (line_text_.ends_with('\r')) line_text_.remove_suffix(1);
      at_ = end + 1;
      ++line_;
    } while (line_text_.find_first_not_of(" \t") == std::string_view::npos);
    cells_.clear();
    Status status = CheckClientJson(line_text_);
    if (!status.ok()) {
      problem_ = status.error().message();
      return Step::kBadRow;
    }
    for (const auto& [name, value] : JsonView::Of(line_text_).Members()) {
      if (value.Is(json::Kind::kNull)) continue;
      auto text = value.Text();
      cells_.emplace(name,
                     text ? Cell{std::move(*text), false} : Cell{std::string(value.raw()), true});
    }
    return Step::kRow;
  }

  const Cell* Find(const std::string& column) const override {
    auto found = cells_.find(column);
    return found == cells_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> Columns() const override {
    std::vector<std::string> columns;
    for (const auto& [name, cell] : cells_) columns.push_back(name);
    return columns;
  }
  std::string_view Line() const override { return line_text_; }
  std::uint64_t line() const override { return line_; }
  std::size_t position() const override { return std::min(at_, text_.size()); }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 0;
  std::string_view line_text_;
  std::unordered_map<std::string, Cell> cells_;
};

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Invalid(path + ": " + std::strerror(errno));
  struct stat info {};
  bool regular = ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  std::size_t size = regular ? static_cast<std::size_t>(info.st_size) : 0;
  void* data = nullptr;
  if (size > 0) data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  int error = errno;
  ::close(descriptor);
  if (!regular) return Invalid(path + ": not a file");
  if (data == MAP_FAILED) return Invalid(path + ": " + std::strerror(error));
  return std::unique_ptr<MappedFile>(new MappedFile(static_cast<const char*>(data), size));
}

MappedFile::~MappedFile() {
  if (size_ > 0) ::munmap(const_cast<char*>(data_), size_);
}

Result<std::unique_ptr<RowSource>> RowSource::Open(std::string_view text, bool jsonl) {
  if (jsonl) return std::unique_ptr<RowSource>(std::make_unique<JsonlSource>(text));
  auto source = std::make_unique<CsvSource>(text);
  SAFFRON_TRY(source->ReadHeader());
  return std::unique_ptr<RowSource>(std::move(source));
}

}  // namespace saffron
