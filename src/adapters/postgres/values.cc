#include "adapters/postgres/values.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace saffron::postgres {

namespace {

// From 1970 to 2000, where PostgreSQL's time begins.
constexpr std::int64_t kEpochMs = 946'684'800'000;
// The first that it knows: 4713 BC.
constexpr std::int64_t kFirstMicros = -211'813'488'000'000'000;

struct KnownType {
  std::uint32_t oid;
  std::string_view name;
};
// In the order of Type.
constexpr KnownType kTypes[] = {{16, "bool"},          {17, "bytea"}, {20, "bigint"},
                                {21, "smallint"},      {23, "int"},   {25, "text"},
                                {1184, "timestamptz"}, {2950, "uuid"}};

std::uint32_t OidOf(Type type) { return kTypes[static_cast<int>(type)].oid; }

std::uint64_t TimeBits(std::int64_t unix_ms) {
  return static_cast<std::uint64_t>((unix_ms - kEpochMs) * 1000);
}

// The length of the character that begins the text; 0: it is not UTF-8.
std::size_t CharacterLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // a longer form than needed
  if (first == 0xed && byte(1) > 0x9f) return 0;  // a surrogate
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

}  // namespace

std::string_view SqlNameOf(Type type) { return kTypes[static_cast<int>(type)].name; }

Value Int8(std::uint64_t value) {
  Value out;
  PutU64BigEndian(out.bytes, value);
  return out;
}
Value Int4(std::uint32_t value) {
  Value out;
  PutU32BigEndian(out.bytes, value);
  return out;
}
Value Int2(std::uint16_t value) {
  Value out;
  PutU16BigEndian(out.bytes, value);
  return out;
}
Value Text(std::string_view value) { return {std::string(value)}; }
Value TimeOf(std::int64_t unix_ms) { return Int8(TimeBits(unix_ms)); }
Value Limit(std::uint64_t value) { return Int8(std::min<std::uint64_t>(value, INT64_MAX)); }

std::string StorableText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = CharacterLength(text);
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

Arrays::Arrays(std::vector<Type> types) {
  for (Type type : types) columns_.push_back({type, 0, false, {}});
}

std::string& Arrays::Next(Type type, std::uint32_t length) {
  Column& column = columns_[next_];
  SAFFRON_ASSERT(column.type == type);
  next_ = (next_ + 1) % columns_.size();
  ++column.count;
  PutU32BigEndian(column.elements, length);
  return column.elements;
}

Arrays& Arrays::Bool(bool value) {
  Next(Type::kBool, 1).push_back(value ? 1 : 0);
  return *this;
}
Arrays& Arrays::Int2(std::uint16_t value) {
  PutU16BigEndian(Next(Type::kInt2, 2), value);
  return *this;
}
Arrays& Arrays::Int4(std::uint32_t value) {
  PutU32BigEndian(Next(Type::kInt4, 4), value);
  return *this;
}
Arrays& Arrays::Int8(std::uint64_t value) {
  PutU64BigEndian(Next(Type::kInt8, 8), value);
  return *this;
}
Arrays& Arrays::Text(std::string_view value) {
  Next(Type::kText, static_cast<std::uint32_t>(value.size())).append(value);
  return *this;
}
Arrays& Arrays::Bytes(std::string_view value) {
  Next(Type::kBytes, static_cast<std::uint32_t>(value.size())).append(value);
  return *this;
}
Arrays& Arrays::Time(std::int64_t unix_ms) {
  PutU64BigEndian(Next(Type::kTime, 8), TimeBits(unix_ms));
  return *this;
}
Arrays& Arrays::Uuid(const saffron::Uuid& value) {
  Next(Type::kUuid, 16).append(value.bytes());
  return *this;
}
Arrays& Arrays::Null(int fields) {
  for (int i = 0; i < fields; ++i) {
    columns_[next_].has_null = true;
    Next(columns_[next_].type, 0xffffffffu);
  }
  return *this;
}

std::vector<Value> Arrays::Take() {
  SAFFRON_ASSERT(next_ == 0);
  std::vector<Value> values;
  for (Column& column : columns_) {
    std::string& out = values.emplace_back().bytes;
    out.reserve(20 + column.elements.size());
    PutU32BigEndian(out, column.count == 0 ? 0u : 1u);  // dimensions
    PutU32BigEndian(out, column.has_null ? 1u : 0u);
    PutU32BigEndian(out, OidOf(column.type));
    if (column.count == 0) continue;
    PutU32BigEndian(out, column.count);
    PutU32BigEndian(out, 1u);  // the first index
    out += column.elements;
    column = {column.type, 0, false, {}};
  }
  return values;
}

void Rows::Clear(PGresult* result) { PQclear(result); }

int Rows::size() const { return PQntuples(handle()); }

std::uint64_t Rows::affected() const {
  const std::string_view text = PQcmdTuples(handle());
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool Fields::IsNull() const { return PQgetisnull(result_, row_, column_) != 0; }

std::string_view Fields::View() {
  const char* bytes = PQgetvalue(result_, row_, column_);
  const auto length = static_cast<std::size_t>(PQgetlength(result_, row_, column_));
  ++column_;
  return {bytes, length};
}

std::uint64_t Fields::Integer(std::size_t bytes) {
  const bool null = IsNull();
  const std::string_view digits = View();
  if (!null && digits.size() != bytes) Damaged();
  if (digits.size() != bytes) return 0;
  std::uint64_t value = 0;
  for (const char c : digits) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::int64_t Fields::Time() {
  if (IsNull()) {
    ++column_;
    return 0;
  }
  const auto since_2000 = static_cast<std::int64_t>(Integer(8));
  if (since_2000 < kFirstMicros || since_2000 > INT64_MAX - kEpochMs * 1000) {  // infinity too
    Damaged();
    return 0;
  }
  const std::int64_t micros = since_2000 + kEpochMs * 1000;
  return micros >= 0 ? micros / 1000 : -((-micros + 999) / 1000);
}

saffron::Uuid Fields::Uuid() {
  const bool null = IsNull();
  const auto id = saffron::Uuid::FromBytes(View());
  if (!null && !id) Damaged();
  return id.value_or(saffron::Uuid());
}

}  // namespace saffron::postgres
