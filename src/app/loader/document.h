// A row and its mapping make a document. Pure functions.
#pragma once

#include <string>

#include "app/loader/mapping.h"
#include "app/loader/row_source.h"
#include "base/result.h"

namespace saffron {

// The JSON document of the row that `row` stands at. kInvalid names the column and what is wrong.
// Whether the document is valid for its class is not looked at.
Result<std::string> BuildDocument(const ClassMapping& mapping, const RowSource& row);

// A cell as a JSON value of this type: "007" is the integer 7, "yes" is true, a blank between day
// and time becomes a T. kInvalid without the column.
Result<std::string> ConvertCell(PropertyType type, std::string_view text);

}  // namespace saffron
