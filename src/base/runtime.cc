#include "base/runtime.h"

#include <cstdlib>

namespace saffron {
namespace {

constexpr std::int64_t kMsPerDay = 86'400'000;

// `text[at, at + count)` as a number; false unless all of it is digits.
bool ReadDigits(std::string_view text, std::size_t at, std::size_t count, int& out) {
  if (at + count > text.size()) return false;
  out = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  return true;
}

// The last `count` digits of a number that is not negative, at `text[at]`.
void WriteDigits(std::string& text, std::size_t at, std::size_t count, std::int64_t number) {
  for (std::size_t i = at + count; i > at; number /= 10) {
    text[--i] = static_cast<char>('0' + number % 10);
  }
}

// The offset east of UTC in minutes: "Z" or "+02:00".
bool ReadOffset(std::string_view text, int& minutes) {
  minutes = 0;
  if (text == "Z" || text == "z") return true;
  int hour = 0;
  int minute = 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
      !ReadDigits(text, 1, 2, hour) || !ReadDigits(text, 4, 2, minute) || hour > 23 ||
      minute > 59) {
    return false;
  }
  minutes = (text[0] == '-' ? -1 : 1) * (hour * 60 + minute);
  return true;
}

}  // namespace

std::string WallTime::ToRfc3339() const {
  std::int64_t day = unix_ms / kMsPerDay;
  std::int64_t in_day = unix_ms % kMsPerDay;
  if (in_day < 0) {
    in_day += kMsPerDay;
    --day;
  }
  std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  std::string text = "0000-00-00T00:00:00.000Z";
  WriteDigits(text, 0, 4, std::abs(static_cast<int>(date.year())));
  WriteDigits(text, 5, 2, static_cast<unsigned>(date.month()));
  WriteDigits(text, 8, 2, static_cast<unsigned>(date.day()));
  WriteDigits(text, 11, 2, in_day / 3'600'000);
  WriteDigits(text, 14, 2, in_day / 60'000 % 60);
  WriteDigits(text, 17, 2, in_day / 1000 % 60);
  WriteDigits(text, 20, 3, in_day % 1000);
  return text;
}

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  int year, month, day, hour, minute, second;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
      !ReadDigits(text, 0, 4, year) || !ReadDigits(text, 5, 2, month) ||
      !ReadDigits(text, 8, 2, day) || !ReadDigits(text, 11, 2, hour) ||
      !ReadDigits(text, 14, 2, minute) || !ReadDigits(text, 17, 2, second)) {
    return std::nullopt;
  }
  std::chrono::year_month_day date{std::chrono::year(year),
                                   std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  // A leap second (60) is taken as the first of the next minute.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  std::size_t at = 19;
  int fraction_ms = 0;
  if (text[at] == '.') {
    std::size_t digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      if (digits < 3) fraction_ms = fraction_ms * 10 + (text[at] - '0');
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 3; ++digits) fraction_ms *= 10;
  }
  int offset_minutes = 0;
  if (!ReadOffset(text.substr(at), offset_minutes)) return std::nullopt;
  std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  std::int64_t in_day_ms =
      (std::int64_t{hour} * 3600 + minute * 60 + second - offset_minutes * 60) * 1000 + fraction_ms;
  return WallTime{days * kMsPerDay + in_day_ms};
}

}  // namespace saffron
