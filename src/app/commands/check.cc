#include "app/commands/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/commands/check_subject.h"
#include "app/exit_code.h"

namespace saffron {
namespace {

constexpr Duration kRequestTime = seconds(10);
constexpr Duration kPoll = milliseconds(200);

// Each item is told when it is known. Lives for one run.
class Checklist {
 public:
  Checklist(CheckSubject& subject, Console console) : subject_(subject), console_(console) {}

  std::vector<CheckItem> Run() {
    Infrastructure();
    Posture();
    Probe();
    return std::move(items_);
  }

 private:
  void Infrastructure() {
    subject_.progress.Say("the server");
    Add(ServerHealth(subject_));
    for (const std::string& url : subject_.options.processes) Add(ProcessHealth(subject_, url));
    subject_.progress.Say("the object store");
    Add(ObjectStoreReached(subject_));
    subject_.progress.Say("the registry");
    Add(RegistryReached(subject_));
    subject_.progress.Say("the bus");
    Add(BusReached(subject_));
    subject_.progress.Say("the graph");
    Add(GraphReached(subject_));
    subject_.progress.Say("the search index");
    Add(SearchReached(subject_));
    Add(OneDeployment(subject_));
    Add(SchemaVersion(subject_));
    Add(StoreConformance(subject_));
  }

  void Posture() {
    Add(ServerClock(subject_));
    Add(ObjectStoreClock(subject_));
    Add(RegistryClock(subject_));
    for (auto tls : {ServerTls, ObjectStoreTls, RegistryTls, BusTls, GraphTls, SearchTls}) {
      Add(tls(subject_));
    }
  }

  // It ends with the deletion, whatever came before.
  void Probe() {
    NotePublished(subject_);
    subject_.deadline = subject_.runtime.Now() + subject_.options.timeout;
    Add(ProbeAccepted(subject_));
    Add(SlotInStore(subject_));
    Add(PublisherAdvances(subject_));
    Add(ByDateEntry(subject_));
    Add(ConsumerDone(subject_));
    Add(ProbeCompleted(subject_));
    Add(StaleWriteRefused(subject_));
    Add(ProbeDeleted(subject_));
  }

  void Add(CheckItem item) {
    subject_.progress.Clear();
    if (subject_.options.remote.output == OutputFormat::kText) {
      console_.out << ItemAsText(item) << std::flush;
    }
    items_.push_back(std::move(item));
  }

  CheckSubject& subject_;
  Console console_;
  std::vector<CheckItem> items_;
};

int ExitCodeOf(const CheckSubject& subject, const std::vector<CheckItem>& items) {
  if (!subject.server_answered) return kExitUnreachable;
  if (subject.probe.refused_with == 401 || subject.probe.refused_with == 403) return kExitRefused;
  return CountOf(items, Verdict::kFailed) == 0 ? kExitOk : kExitFailed;
}

}  // namespace

void CheckProgress::Say(const std::string& what) {
  if (!console_.terminal) return;
  const auto waited = std::chrono::duration_cast<seconds>(runtime_.Now() - started_).count();
  console_.err << fmt::format("\r  {} ... {} s\x1b[K", what, waited) << std::flush;
  shown_ = true;
}

void CheckProgress::Clear() {
  if (shown_) console_.err << "\r\x1b[K" << std::flush;
  shown_ = false;
}

std::string CheckSubject::Shown(const std::string& path) const {
  return ShownUrl(api.options().server_url) + path;
}

bool CheckSubject::WaitFor(const std::string& what, const std::function<bool()>& is_so) {
  while (!is_so()) {
    if (runtime.Now() >= deadline) return false;
    progress.Say("waiting: " + what);
    if (!runtime.SleepFor(kPoll)) return false;
  }
  return true;
}

int RunCheck(Runtime& runtime, const Config& config, const CheckOptions& options,
             DeployedEngines& engines, Console console) {
  ApiOptions api = options.remote.api;
  api.timeout = kRequestTime;
  auto client = ApiClient::Open(std::move(api));
  if (!client.ok()) {
    console.err << "saffron check: " << client.error().message() << "\n";
    return kExitFailed;
  }
  CheckProgress progress(console, runtime);
  CheckSubject subject{.config = config,
                       .options = options,
                       .runtime = runtime,
                       .api = **client,
                       .engines = engines,
                       .progress = progress};
  const std::vector<CheckItem> items = Checklist(subject, console).Run();
  progress.Clear();
  if (options.remote.output == OutputFormat::kJson) {
    console.out << ReportAsJson(subject.Shown(""), items) << "\n";
  } else {
    console.out << "\n" << TotalsAsText(items) << "\n";
  }
  return ExitCodeOf(subject, items);
}

}  // namespace saffron
