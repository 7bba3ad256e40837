#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace saffron {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) return Invalid("odd");
  return number / 2;
}

Status NeedEven(int number) {
  SAFFRON_TRY(Half(number));
  return Ok();
}

Result<int> Quarter(int number) {
  SAFFRON_ASSIGN(int half, Half(number));
  SAFFRON_ASSIGN(half, Half(half));
  return half;
}

TEST(ResultTest, CarriesAValueOrAnError) {
  EXPECT_EQ(Half(8).value(), 4);
  Result<int> odd = Half(3);
  EXPECT_FALSE(odd.ok());
  EXPECT_TRUE(odd.Is(Code::kInvalid));
  EXPECT_FALSE(odd.Is(Code::kNotFound));
  EXPECT_EQ(odd.error().ToString(), "INVALID: odd");
  EXPECT_EQ(odd.error().Within("half").ToString(), "INVALID: half: odd");
}

TEST(ResultTest, MacrosPassErrorsOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_TRUE(Quarter(6).Is(Code::kInvalid));
  EXPECT_TRUE(NeedEven(2).ok());
  EXPECT_EQ(NeedEven(1).code(), Code::kInvalid);
}

TEST(ResultTest, MovesItsValueOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, TheWrongSideIsABrokenInvariant) {
  EXPECT_DEATH(static_cast<void>(Half(3).value()), "broken invariant");
  EXPECT_DEATH(static_cast<void>(Half(2).error()), "broken invariant");
}

}  // namespace
}  // namespace saffron
