#include "adapters/embedded/words.h"

#include <gmock/gmock.h>

namespace saffron {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  ForEachWord(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

std::vector<std::string> Patterns(std::string_view text) {
  std::vector<std::string> words;
  for (const auto& pattern : ParseWords(text)) {
    words.push_back(pattern.word + (pattern.prefix ? "*" : ""));
  }
  return words;
}

TEST(WordsTest, WordsAreRunsOfLettersAndDigitsInLowerCase) {
  EXPECT_THAT(Words("Hello, World-42!  x_y"), ElementsAre("hello", "world", "42", "x", "y"));
  EXPECT_THAT(Words("ÄPFEL Ξένος ПРИВЕТ 서울"), ElementsAre("äpfel", "ξένος", "привет", "서울"));
  EXPECT_THAT(Words("a\xffz\xc3"), ElementsAre("a", "z"));
  EXPECT_THAT(Words(""), ElementsAre());
  EXPECT_THAT(Words("\xf0\x90\x90\x80"), ElementsAre("\xf0\x90\x90\xa8"));  // Deseret, four bytes
}

TEST(WordsTest, OfAJsonTextOnlyStringValuesCount) {
  EXPECT_EQ(WordsOf(R"({"name":"Ann Lee","n":42,"t":true,"list":["x",{"in":"Caf\u00e9\ny"}]})"),
            "ann lee x café y ");
  EXPECT_EQ(WordsOf(R"("alone")"), "alone ");
  EXPECT_EQ(WordsOf("not json"), "");
}

TEST(WordsTest, AStarMakesAPrefixOnlyAtTheEndOfAWord) {
  EXPECT_THAT(Patterns("Foo* bar"), ElementsAre("foo*", "bar"));
  EXPECT_THAT(Patterns("foo * bar*"), ElementsAre("foo", "bar*"));
  EXPECT_THAT(Patterns("***"), ElementsAre());
  EXPECT_THAT(Patterns("é*"), ElementsAre("é*"));
  EXPECT_THAT(Patterns("€*"), ElementsAre());
  EXPECT_THAT(Patterns("a-b*"), ElementsAre("a", "b*"));
}

TEST(WordsTest, EveryWordMustOccur) {
  EXPECT_TRUE(HoldsAll("ann lee ", ParseWords("lee ANN")));
  EXPECT_FALSE(HoldsAll("ann lee ", ParseWords("le")));
  EXPECT_TRUE(HoldsAll("ann lee ", ParseWords("le*")));
  EXPECT_FALSE(HoldsAll("", ParseWords("x")));
  EXPECT_TRUE(HoldsAll("", ParseWords("")));
}

}  // namespace
}  // namespace saffron
