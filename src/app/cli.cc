// The only file that sees CLI11: it is slow to compile.
#include "app/cli.h"

#include <CLI/CLI.hpp>

#include "app/commands/check.h"
#include "app/commands/on_data.h"
#include "app/commands/remote.h"
#include "app/exit_code.h"
#include "app/loader/load.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

constexpr const char* kExitCodes =
    "\nExit codes:\n"
    "  0  ok\n"
    "  1  failed, or verify found a difference, or check a cross\n"
    "  2  bad arguments or configuration\n"
    "  3  refused by the server (rights, conflict, unknown name), or invalid data\n"
    "  4  not now: server unreachable or busy, data directory in use or not there";
constexpr const char* kToken =
    "\n\nWith a server that wants one, the token is the first that is set of OMS_ADMIN_TOKEN,\n"
    "OMS_WRITE_TOKEN and SAFFRON_READ_TOKEN.";

// What is parsed into, and then run. Lives for one call of RunCli.
class CommandLine {
 public:
  CommandLine(Environment environment, const CliFunctions& functions, Console console)
      : environment_(std::move(environment)), functions_(functions), console_(console) {
    app_.require_subcommand(1);
    app_.footer(kExitCodes);
    AddServe();
    AddLoad();
    AddQuery();
    AddOperations();
    AddCheck();
    AddDlq();
    AddConfig();
    AddSingleServices();
  }

  int Run(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      bool asked = error.get_exit_code() == 0;
      std::ostream& to = asked ? console_.out : console_.err;
      app_.exit(error, to, to);
      return asked ? kExitOk : kExitUsage;
    }
    return run_ ? run_() : kExitUsage;
  }

 private:
  CLI::App* Add(const std::string& name, const std::string& description,
                const std::string& examples, std::function<int()> run) {
    CLI::App* command = app_.add_subcommand(name, description);
    command->footer((examples.empty() ? "" : "\nExamples:\n" + examples + "\n") + kExitCodes);
    command->callback([this, run = std::move(run)] { run_ = run; });
    return command;
  }

  // Of a command that acts on data, and can do so without a server.
  void AddDataOptions(CLI::App* command) {
    auto* server = command->add_option("--server", server_url_,
                                       "URL of the server (default: http://SAFFRON_LISTEN)");
    command
        ->add_option("--data-dir", data_dir_,
                     "Ask no server: take the lock of this data directory (without either option: "
                     "of SAFFRON_DATA_DIR, when no server answers)")
        ->excludes(server);
    AddJson(command);
    command->footer(command->get_footer() + kToken);
  }

  void AddJson(CLI::App* command) { command->add_flag("--json", json_, "Print JSON"); }

  void AddServe() {
    CLI::App* command =
        Add("serve", "Run everything in one process: API, publisher, workers, projection.",
            "  saffron serve\n"
            "  saffron serve --listen 127.0.0.1:9000 --data-dir /var/lib/saffron\n"
            "Ctrl-C or SIGTERM finishes what was accepted and ends; a second one ends at once.",
            [this] { return Run(Service::kAll); });
    command->add_option("--listen", listen_, "host:port; default: SAFFRON_LISTEN");
    command->add_option("--data-dir", data_dir_,
                        "Folder of the embedded engines; default: SAFFRON_DATA_DIR");
  }

  void AddLoad() {
    CLI::App* command = Add(
        "load", "Load an ontology and a folder of CSV or JSONL files through the API.",
        "  saffron load --db shop --ontology ontology.json --data data --wait\n"
        "  saffron load --db legacy --mapping mapping.json --data export --dry-run\n"
        "  saffron load --db legacy --mapping mapping.json --data export --skip-rejected "
        "--report bad.csv\n"
        "Everything is checked before anything is sent. Loading the same again appends nothing;\n"
        "run a load that broke off again and it goes on. Files and mapping: docs/loading.md.",
        [this] { return DoLoad(); });
    AddDataOptions(command);
    command->add_option("--db", load_.db, "Database; created when missing")->required();
    command->add_option("--ontology", load_.plan.ontology_file, "Classes: {\"classes\":[...]}");
    command->add_option("--mapping", load_.plan.mapping_file, "How columns become properties");
    command->add_option("--data", load_.plan.data_dir, "Folder of the files")->required();
    command->add_option("--jobs", load_.jobs, "Connections")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_option("--report", load_.report_file, "Write rejected rows to this CSV file");
    command
        ->add_option("--retry-seconds", retry_seconds_,
                     "How long to wait for a server that is away")
        ->check(CLI::Range(0, 86400))
        ->capture_default_str();
    command->add_flag("--dry-run", load_.dry_run, "Only check");
    command->add_flag("--skip-rejected", load_.skip_rejected, "Load the valid rows all the same");
    command->add_flag("--wait", load_.wait, "Wait until every row is COMPLETED");
  }

  void AddQuery() {
    CLI::App* command =
        Add("query", "Search documents, follow relationships, or read one document.",
            "  saffron query shop Order --where 'status = PAID' --where 'total >= 100'\n"
            "  saffron query shop Product --text espresso --sort -price\n"
            "  saffron query shop Customer --where 'country = KR' --hop ~placed_by:Order \\\n"
            "    --hop ~item_of:Item --paths\n"
            "  saffron query shop Order --id ORD-17",
            [this] {
              return OnData(LocalWork::kLook, [this](const RemoteOptions& remote) {
                return RunQuery(remote, query_, console_);
              });
            });
    AddDataOptions(command);
    command->add_option("db", query_.db, "Database")->required();
    command->add_option("class", query_.class_id, "Class");
    command
        ->add_option("--where", query_.where,
                     "field = value; also != > >= < <= prefix match; may be repeated")
        ->take_all();
    command->add_option("--text", query_.text, "Words to find anywhere");
    command->add_option("--sort", query_.sort, "field, or -field for descending");
    command
        ->add_option(
            "--hop", query_.hops,
            "predicate or predicate:Class; ~predicate goes against it; repeat for more hops")
        ->take_all();
    command->add_flag("--paths", query_.paths,
                      "Of hops: a line for each way, instead of the documents on them");
    command->add_option("--id", query_.instance_id, "Read this document");
    command->add_option("--limit", query_.limit, "At most so many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_option("--cursor", query_.cursor, "Go on where the page before ended");
  }

  void AddOperations() {
    AddDataOptions(Add("status", "Where everything stands: log, publisher, sinks, parked.",
                       "  saffron status\n"
                       "  saffron status --json\n"
                       "  saffron status --data-dir /var/lib/saffron      of a stopped server",
                       [this] {
                         return OnData(LocalWork::kLook, [this](const RemoteOptions& remote) {
                           return RunStatus(remote, console_);
                         });
                       }));
    AddVerify();
    CLI::App* rebuild =
        Add("rebuild", "Make the registry, the graph or the search index again from the log alone.",
            "  saffron rebuild search\n"
            "  saffron rebuild registry --data-dir /var/lib/saffron\n"
            "Graph and search are rebuilt beside the live ones, with or without a server. The "
            "registry\n"
            "is rebuilt with the server stopped.",
            [this] {
              return RunRebuildOnData(DataOptionsOf(), functions_, rebuild_target_, console_);
            });
    rebuild->add_option("target", rebuild_target_, "registry, graph or search")
        ->required()
        ->check(CLI::IsMember({"registry", "graph", "search"}));
    AddDataOptions(rebuild);
    CLI::App* version = Add("version", "Print the version.", "", [this] {
      console_.out << (json_ ? "{\"name\":\"saffron\",\"version\":\"" SAFFRON_VERSION "\"}"
                             : "saffron " SAFFRON_VERSION)
                   << "\n";
      return kExitOk;
    });
    AddJson(version);
  }

  void AddCheck() {
    CLI::App* command = Add(
        "check", "Validate a running deployment, part by part, with a probe that goes through it.",
        "  saffron check\n"
        "  saffron check --server http://oms:8000 --process http://publisher:8001 \\\n"
        "    --process http://worker:8002\n"
        "  saffron check --json --timeout 60\n"
        "It asks the server, and looks into every engine that the environment names: run it\n"
        "with the environment of the deployment's processes. The probe is a database\n"
        "saffron-check-..., which is deleted by a command at the end. A token of the role\n"
        "admin lets it see everything. What was not looked at is never ticked.",
        [this] { return DoCheck(); });
    command->add_option("--server", server_url_,
                        "URL of the server (default: http://SAFFRON_LISTEN)");
    command
        ->add_option("--process", check_.processes,
                     "URL of another process, for its /health; may be repeated")
        ->take_all();
    command->add_option("--timeout", check_seconds_, "Seconds that the probe may take in all")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    command->add_flag("--allow-plain-text", check_.allow_plain_text,
                      "Plain text over a network is no cross: it is private");
    AddJson(command);
    command->footer(command->get_footer() + kToken);
  }

  void AddVerify() {
    CLI::App* command = Add(
        "verify", "Compare the log with registry, bus, graph, search and index; name what differs.",
        "  saffron verify\n"
        "  saffron verify --from 120000 --json\n"
        "  saffron verify --sample 500\n"
        "  saffron verify --repair index\n"
        "It judges up to the head that the log has when it begins, and changes nothing unless "
        "told\n"
        "to repair. Without a server, what was left undone is done first, as a start would.\n"
        "docs/operating.md says what a sample shows and what a repair does.",
        [this] { return RunVerifyOnData(DataOptionsOf(), functions_, verify_, console_); });
    auto* from = command->add_option("--from", verify_.from_slot,
                                     "Slot to begin at; what lies before is not judged");
    auto* sample = command->add_option(
        "--sample", verify_.sample, "Look at so many slots, picked at random, and what is of them");
    auto* memory = command->add_option(
        "--memory", verify_.memory_mib,
        "MiB for aggregates; a log with more of them is read several times (default: 60 or so)");
    for (CLI::Option* number : {from, sample, memory}) number->check(CLI::PositiveNumber);
    const std::map<std::string, Repair> repairs{{"index", Repair::kIndex},
                                                {"registry", Repair::kRegistry}};
    command
        ->add_option("--repair", verify_.repair,
                     "index: write the entries of indexes/by-date/ that are missing or wrong. "
                     "registry (with the event index in it): make it again from the log, with the "
                     "server stopped")
        ->transform(CLI::CheckedTransformer(repairs))
        ->excludes(sample);
    AddDataOptions(command);
  }

  void AddDlq() {
    CLI::App* command = app_.add_subcommand(
        "dlq", "Parked aggregates, whose command failed for good: list, show, replay, discard.");
    command->require_subcommand(1);
    command->footer(std::string("\nExamples:\n"
                                "  saffron dlq list\n"
                                "  saffron dlq show Instance shop:main:Order:ORD-17\n"
                                "  saffron dlq replay Instance shop:main:Order:ORD-17\n"
                                "  saffron dlq discard Instance shop:main:Order:ORD-17 \\\n"
                                "    --reason 'wrong currency'\n") +
                    kExitCodes);
    auto action = [&](const std::string& name, const std::string& description) {
      CLI::App* one = command->add_subcommand(name, description);
      AddDataOptions(one);
      one->add_option("--handler", dlq_.handler, "Only of this handler (instance_worker, ...)");
      one->callback([this, name] {
        dlq_.action = name;
        const bool looks = name == "list" || name == "show";
        run_ = [this, looks] {
          return OnData(
              looks ? LocalWork::kLook : LocalWork::kRun,
              [this](const RemoteOptions& remote) { return RunDlq(remote, dlq_, console_); });
        };
      });
      if (name == "list") return one;
      one->add_option("type", dlq_.aggregate_type, "Database, OntologyClass or Instance")
          ->required()
          ->check(CLI::IsMember({"Database", "OntologyClass", "Instance"}));
      one->add_option("id", dlq_.aggregate_id, "db:branch:class:instance")->required();
      return one;
    };
    action("list", "What is parked, oldest first.");
    action("show", "One of them with its commands and errors.");
    action("replay", "Try it again from its first failed command, and free it.");
    action("discard", "Reject its pending commands for good: a REJECTED outcome in the log.")
        ->add_option("--reason", dlq_.reason, "Why; kept in the log");
  }

  void AddConfig() {
    CLI::App* command = Add("config", "Every variable: value, origin, default and meaning.",
                            "  saffron config\n"
                            "  SAFFRON_LISTEN=127.0.0.1:9000 saffron config --json",
                            [this] { return ShowConfig(); });
    AddJson(command);
    command->add_flag("--markdown", markdown_, "Print the reference page");
  }

  void AddSingleServices() {
    for (const Service service : kSingleServices) {
      const std::string name(ServiceName(service));
      std::string variables = "MINIO_ENDPOINT_URL, POSTGRES_URL, KAFKA_BOOTSTRAP_SERVERS";
      if (PartsOf(service).needs_graph()) variables.append(", TERMINUS_SERVER_URL");
      if (PartsOf(service).needs_search()) variables.append(", ELASTICSEARCH_URL");
      CLI::App* command =
          Add(name, "Run only this service; needs servers for its engines.",
              "  saffron " + name + " --listen 127.0.0.1:8001\n" + "It needs " + variables +
                  ":\nthe embedded engines belong to one process, which is `saffron serve`. Any "
                  "number of processes\nof a service may run. Health and metrics: /health, "
                  "/metrics. docs/operating.md.",
              [this, service] { return Run(service); });
      command->add_option("--listen", listen_, "host:port; default: SAFFRON_LISTEN");
    }
  }

  std::optional<Config> Load() {
    if (!listen_.empty()) environment_.insert_or_assign("SAFFRON_LISTEN", listen_);
    if (!data_dir_.empty()) environment_.insert_or_assign("SAFFRON_DATA_DIR", data_dir_);
    auto loaded = LoadConfig(environment_);
    if (!loaded.ok()) {
      console_.err << "saffron: " << loaded.error().message() << "\n";
      return std::nullopt;
    }
    for (const std::string& warning : loaded->warnings) {
      console_.err << "saffron: warning: " << warning << "\n";
    }
    return std::move(loaded->config);
  }

  int Run(Service service) {
    auto config = Load();
    if (!config) return kExitUsage;
    Status status =
        service == Service::kAll ? CheckServable(*config) : CheckSingleService(*config, service);
    if (status.ok()) return functions_.serve(*config, service);
    console_.err << "saffron " << ServiceName(service) << ": " << status.error().message() << "\n";
    return kExitUsage;
  }

  int ShowConfig() {
    if (markdown_) {
      console_.out << ConfigAsMarkdown();
      return kExitOk;
    }
    auto loaded = LoadConfig(environment_);
    if (!loaded.ok()) {
      console_.err << "saffron: " << loaded.error().message() << "\n";
      return kExitUsage;
    }
    console_.out << (json_ ? ConfigAsJson(*loaded) : ConfigAsText(*loaded));
    return kExitOk;
  }

  DataOptions DataOptionsOf() {
    return {Remote(), !server_url_.empty(), !data_dir_.empty(), [this] { return Load(); }};
  }

  using DataCommand = std::function<int(const RemoteOptions&)>;
  int OnData(LocalWork work, const DataCommand& command) {
    return RunOnData(DataOptionsOf(), functions_, work, console_, command);
  }

  // Where the server is and with which token, from the options, else the environment. A bad value
  // of a variable that only a server reads is no reason not to ask one.
  RemoteOptions Remote() {
    RemoteOptions remote;
    remote.output = json_ ? OutputFormat::kJson : OutputFormat::kText;
    auto variable = [this](std::string_view name) {
      auto found = environment_.find(name);
      return found == environment_.end() ? std::string() : found->second;
    };
    remote.api.server_url = server_url_;
    if (server_url_.empty()) {
      std::string listen = variable("SAFFRON_LISTEN");
      remote.api.server_url = "http://" + (listen.empty() ? "127.0.0.1:8000" : listen);
    }
    for (std::string_view name : {"OMS_ADMIN_TOKEN", "OMS_WRITE_TOKEN", "SAFFRON_READ_TOKEN"}) {
      if (remote.api.token.empty()) remote.api.token = variable(name);
    }
    remote.api.timeout = std::chrono::hours(24);  // verify and rebuild take their time
    return remote;
  }

  int DoCheck() {
    auto config = Load();
    if (!config) return kExitUsage;
    check_.remote = Remote();
    check_.timeout = seconds(check_seconds_);
    ThreadRuntime runtime;
    const auto engines = functions_.look_at_engines(*config, runtime);
    return RunCheck(runtime, *config, check_, *engines, console_);
  }

  int DoLoad() {
    if (load_.plan.ontology_file.empty() && load_.plan.mapping_file.empty()) {
      console_.err << "saffron load: give --ontology, --mapping, or both\n";
      return kExitUsage;
    }
    load_.give_up = seconds(retry_seconds_);
    load_.json = json_;
    // A load waits for a server that is away, instead of taking the directory from it: only
    // --data-dir makes it a server of its own.
    DataOptions data = DataOptionsOf();
    data.server_given = data_dir_.empty();
    return RunOnData(data, functions_, LocalWork::kRun, console_,
                     [this](const RemoteOptions& remote) {
                       ThreadRuntime runtime;
                       load_.api = remote.api;
                       load_.api.timeout = seconds(60);
                       return RunLoad(runtime, load_, console_);
                     });
  }

  Environment environment_;
  const CliFunctions& functions_;
  Console console_;
  CLI::App app_{"Saffron: an event-sourced ontology platform.", "saffron"};
  std::function<int()> run_;
  bool json_ = false;
  bool markdown_ = false;
  std::string server_url_, listen_, data_dir_, rebuild_target_;
  int retry_seconds_ = 120;
  int check_seconds_ = 30;
  CheckOptions check_;
  LoadOptions load_;
  QueryOptions query_;
  DlqOptions dlq_;
  VerifyRequest verify_;
};

}  // namespace

int RunCli(std::vector<std::string> arguments, Environment environment,
           const CliFunctions& functions, Console console) {
  return CommandLine(std::move(environment), functions, console).Run(std::move(arguments));
}

}  // namespace saffron
