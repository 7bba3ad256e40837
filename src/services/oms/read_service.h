// What all reads share: the ports, read-your-writes, and what of a database is alive.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/oms/api_call.h"
#include "services/oms/live_scopes.h"
#include "services/oms/progress.h"

namespace saffron {

// Where a read of one row of the graph is made. An engine in this process answers within
// microseconds, less than it costs to hand the request to a task and its answer back; one behind a
// network must not be waited for on an io thread. Who composes the process knows which it is.
enum class PointReads { kOnTasks, kOnIoThreads };

// Any thread. Reads never create anything.
class ReadService {
 public:
  using Warnings = std::vector<std::string>;
  using Handler = std::function<Result<HttpResponse>(const ApiCall&, const Warnings&)>;
  // Which aggregate a path names, for `min_seq`.
  using AggregateOf = std::function<AggregateKey(const ApiCall&)>;
  // Answers with one read of the graph's rows, or not at all: then `handler` does.
  using AtOnce = std::function<Result<std::optional<HttpResponse>>(const ApiCall&)>;

  struct Route {
    std::string_view operation;
    ReadStore store = ReadStore::kGraph;
    AggregateOf aggregate;  // may be empty: the path names none
    Handler handler;
    bool own_warnings = false;  // the handler writes them
    AtOnce at_once = nullptr;   // may be empty
  };
  struct Options {
    Duration request_timeout = seconds(10);
    PointReads point_reads = PointReads::kOnTasks;
  };

  ReadService(LogContext& context, ClaimRegistry& claims, GraphStore& graph, SearchIndex& search,
              Progress& progress, StepRunner& steps, Options options)
      : context_(context),
        claims_(claims),
        graph_(graph),
        search_(search),
        progress_(progress),
        steps_(steps),
        options_(options),
        scopes_(graph) {}

  void Register(HandlerMap& handlers, Route route);

  LogContext& context() { return context_; }
  GraphStore& graph() { return graph_; }
  SearchIndex& search() { return search_; }
  StepRunner& steps() { return steps_; }
  Duration request_timeout() const { return options_.request_timeout; }

  LiveScopes& scopes() { return scopes_; }
  // kNotFound when there is no such database.
  Result<LiveScopePtr> LiveScopeOf(std::string_view db, std::string_view branch);
  // The same and the class in it.
  Result<LiveScopePtr> LiveScopeWith(std::string_view db, std::string_view branch,
                                     std::string_view class_id);

 private:
  void Serve(const CallPtr& call, const std::shared_ptr<const Route>& route);
  // On the io thread. False: not answered.
  bool AnswerAtOnce(ApiCall& call, const Route& route, ReadGate& gate);
  HttpResponse Failed(const Route& route, const Error& error);

  LogContext& context_;
  ClaimRegistry& claims_;
  GraphStore& graph_;
  SearchIndex& search_;
  Progress& progress_;
  StepRunner& steps_;
  const Options options_;
  LiveScopes scopes_;
};

bool AliveIn(const LiveScope& scope, std::string_view class_id, Lifecycle lifecycle,
             const Scope& lives_in);

// The parts of a path, against their grammars: kInvalid.
Status CheckPathNames(const ApiCall& call);
// A position that a request names, in its query or elsewhere: kInvalid says which name is wrong.
Result<Position> ReadPosition(std::string_view text, std::string_view name);
// An optional position in the query.
Result<std::optional<Position>> QueryPosition(const HttpRequest& request, std::string_view name);
// `limit`, from 1 to `max`.
Result<std::uint64_t> LimitOf(const HttpRequest& request, std::uint64_t otherwise,
                              std::uint64_t max);

}  // namespace saffron
