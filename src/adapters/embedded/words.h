// The words of full text: what is a word, and which words a JSON document holds.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace saffron {

// Calls `word` for each word of `text`: a run of letters and digits of any script, lower case.
// Bytes that are not UTF-8 separate words.
void ForEachWord(std::string_view text, const std::function<void(std::string_view)>& word);

// The words of every string value in a JSON text, at any depth, each with a space after it. Member
// names are not looked at. Stored indexes depend on it: a change is a new index format.
std::string WordsOf(std::string_view json);

// A query's words: every one must occur; "wor*" stands for any word that begins with it.
struct WordPattern {
  std::string word;
  bool prefix = false;
  bool Matches(std::string_view candidate) const {
    return prefix ? candidate.starts_with(word) : candidate == word;
  }
};
std::vector<WordPattern> ParseWords(std::string_view text);

// `words` as WordsOf gives them.
bool HoldsAll(std::string_view words, const std::vector<WordPattern>& patterns);

}  // namespace saffron
