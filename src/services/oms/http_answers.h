// The shapes of answers that all routes share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/ontology.h"
#include "net/http.h"

namespace saffron {

HttpResponse JsonAnswer(int status, std::string body);
// {"status":"success","data":{...}}
HttpResponse DataAnswer(std::string_view data_json);

// {"status":"error","message","detail","errors"?}; `detail_json` is a JSON value, by default the
// stable word that belongs to the status.
HttpResponse ApiError(int status, std::string_view message, std::string_view detail_json = {},
                      const std::vector<Violation>& errors = {});
HttpResponse WithRetryAfter(HttpResponse response, int seconds);
// 400, 404, 409, 503 (with Retry-After) or 500. The message of a defect or of damaged data is not
// told to clients.
HttpResponse AnswerOf(const Error& error);

std::string Quoted(std::string_view text);

}  // namespace saffron
