#include "app/loader/load.h"

#include <fmt/format.h>

#include <fstream>

#include "app/exit_code.h"
#include "app/loader/check.h"
#include "app/loader/progress.h"
#include "app/loader/schema.h"
#include "app/loader/uploader.h"
#include "domain/json_text.h"
#include "domain/names.h"

namespace saffron {
namespace {

constexpr std::size_t kShownRejections = 20;

struct Summary {
  std::uint64_t rows = 0, accepted = 0, duplicates = 0, rejected = 0, completed = 0, retries = 0;
  double load_seconds = 0;
  double completed_seconds = 0;  // from the first row sent to the last one COMPLETED
};

double Rate(std::uint64_t rows, double seconds) {
  return seconds > 0 ? static_cast<double>(rows) / seconds : 0;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out.append(c == '"' ? "\"\"" : std::string(1, c));
  return out + "\"";
}

// One load. Lives for one call of RunLoad.
class Load {
 public:
  Load(Runtime& runtime, const LoadOptions& options, Console console)
      : runtime_(runtime), options_(options), console_(console) {}

  int Run() {
    Status named = CheckDatabaseName(options_.db);
    if (!named.ok()) return Fail(kExitUsage, named.error().message());
    auto plan = MakePlan(options_.plan);
    if (!plan.ok()) return Fail(kExitRefused, plan.error().message());
    plan_ = std::move(*plan);
    for (const std::string& warning : plan_.warnings) console_.err << "note: " << warning << "\n";
    int code = Validate();
    if (code != kExitOk || options_.dry_run) return Finish(code);
    return Finish(Send());
  }

 private:
  int Fail(int code, const std::string& message) {
    console_.err << "saffron load: " << message << "\n";
    return code;
  }

  int Validate() {
    std::atomic<double> share{0};
    std::atomic<std::uint64_t> rows{0};
    ProgressPrinter printer(runtime_, console_.err, PrinterOptions("Checking"), [&] {
      return ProgressState{share.load(), rows.load()};
    });
    auto report = CheckAll(plan_, [&](double done, std::uint64_t count) {
      share = done;
      rows = count;
    });
    printer.Finish();
    if (!report.ok()) return Fail(kExitRefused, report.error().message());
    summary_.rows = report->rows;
    rejected_ = std::move(report->rejected);
    files_ = std::move(report->files);
    if (!rejected_.empty() && !options_.skip_rejected && !options_.dry_run) {
      ShowRejected();
      console_.err << "Nothing was sent. Mend the rows, or load the others with "
                      "--skip-rejected.\n";
      return kExitRefused;
    }
    return rejected_.empty() || options_.skip_rejected ? kExitOk : kExitRefused;
  }

  int Send() {
    auto client = PatientClient::Open(runtime_, options_.api, options_.give_up);
    if (!client.ok()) return Fail(kExitFailed, client.error().message());
    (*client)->OnTrouble([this](const std::string& why) {
      console_.err << "No answer from " << options_.api.server_url << " (" << why
                   << "); trying on\n";
    });
    auto schema = PrepareSchema(runtime_, **client, options_.db, plan_);
    if (!schema.ok()) return FailWith(schema.error());
    console_.err << fmt::format("Database {} {}, {} classes created, {} there already\n",
                                options_.db, schema->database_created ? "created" : "found",
                                schema->classes_created, schema->classes_present);
    auto rows = PlanRows::Open(plan_);
    if (!rows.ok()) return FailWith(rows.error());
    UploadOptions upload{options_.api, options_.db, options_.jobs, options_.give_up};
    Uploader uploader(runtime_, std::move(upload), plan_, std::move(schema->generations));
    const std::uint64_t to_send = summary_.rows - rejected_.size();
    const Instant start = runtime_.Now();
    Status status = Watch(uploader, "Loading ", to_send, &UploadCounts::sent,
                          [&] { return uploader.Upload(std::move(*rows)); });
    summary_.load_seconds = SecondsSince(start);
    if (status.ok() && options_.wait) {
      std::uint64_t to_await = uploader.counts().accepted + uploader.counts().duplicates;
      status = Watch(uploader, "Deciding", to_await, &UploadCounts::completed,
                     [&] { return uploader.AwaitAll(); });
      summary_.completed_seconds = SecondsSince(start);
    }
    const UploadCounts& counts = uploader.counts();
    summary_.accepted = counts.accepted;
    summary_.duplicates = counts.duplicates;
    summary_.completed = counts.completed;
    summary_.retries = counts.retries;
    for (RejectedRow& row : uploader.TakeRejected()) rejected_.push_back(std::move(row));
    if (!status.ok()) return FailWith(status.error());
    return rejected_.empty() ? kExitOk : kExitRefused;
  }

  template <class Work>
  Status Watch(Uploader& uploader, std::string what, std::uint64_t total,
               std::atomic<std::uint64_t> UploadCounts::*counter, Work work) {
    ProgressPrinter printer(runtime_, console_.err, PrinterOptions(std::move(what)), [&, total] {
      std::uint64_t rows = uploader.counts().*counter;
      double share = total == 0 ? 1 : static_cast<double>(rows) / static_cast<double>(total);
      return ProgressState{share, rows};
    });
    return work();
  }

  ProgressPrinter::Options PrinterOptions(std::string what) const {
    return {std::move(what), console_.terminal, options_.json && !console_.terminal};
  }

  double SecondsSince(Instant start) {
    return std::chrono::duration<double>(runtime_.Now() - start).count();
  }

  int FailWith(const Error& error) {
    bool refused = error.code() == Code::kConflict || error.code() == Code::kInvalid;
    console_.err << "saffron load: " << error.message() << "\n";
    if (refused) return kExitRefused;
    console_.err << "What was accepted stays. Run the same command again to go on.\n";
    return kExitUnreachable;
  }

  void ShowRejected() {
    for (std::size_t i = 0; i < rejected_.size() && i < kShownRejections; ++i) {
      const RejectedRow& row = rejected_[i];
      console_.err << row.file << ":" << row.line << ": " << row.reason << "\n";
    }
    if (rejected_.size() > kShownRejections) {
      console_.err << "... and " << rejected_.size() - kShownRejections << " more"
                   << (options_.report_file.empty() ? "; --report FILE writes them all\n" : "\n");
    }
    shown_ = true;
  }

  bool WriteReport() {
    std::ofstream file(options_.report_file, std::ios::binary | std::ios::trunc);
    file << "file,line,instance_id,reason\n";
    for (const RejectedRow& row : rejected_) {
      file << CsvField(row.file) << ',' << row.line << ',' << CsvField(row.instance_id) << ','
           << CsvField(row.reason) << '\n';
    }
    file.flush();
    return file.good();
  }

  int Finish(int code) {
    summary_.rejected = rejected_.size();
    if (!shown_) ShowRejected();
    if (!options_.report_file.empty() && !WriteReport()) {
      code = Fail(kExitFailed, options_.report_file + ": cannot be written");
    }
    if (options_.json) {
      console_.out << SummaryJson() << "\n";
    } else {
      console_.out << SummaryText() << "\n";
    }
    return code;
  }

  std::string SummaryText() const {
    std::string text = fmt::format("{} rows read, ", Grouped(summary_.rows));
    if (options_.dry_run) {
      return text + fmt::format("{} valid, {} rejected; nothing was sent",
                                Grouped(summary_.rows - summary_.rejected),
                                Grouped(summary_.rejected));
    }
    text += fmt::format("{} accepted, {} duplicates, {} rejected in {:.1f} s: {} rows/s",
                        Grouped(summary_.accepted), Grouped(summary_.duplicates),
                        Grouped(summary_.rejected), summary_.load_seconds,
                        Grouped(static_cast<std::uint64_t>(
                            Rate(summary_.accepted + summary_.duplicates, summary_.load_seconds))));
    if (options_.wait) {
      text += fmt::format("\n{} COMPLETED in {:.1f} s: {} rows/s", Grouped(summary_.completed),
                          summary_.completed_seconds,
                          Grouped(static_cast<std::uint64_t>(
                              Rate(summary_.completed, summary_.completed_seconds))));
    }
    return text;
  }

  std::string SummaryJson() const {
    std::string text = fmt::format(
        "{{\"rows\":{},\"accepted\":{},\"duplicates\":{},\"rejected\":{},\"completed\":{},"
        "\"retries\":{},\"load_seconds\":{:.3f},\"completed_seconds\":{:.3f},\"files\":[",
        summary_.rows, summary_.accepted, summary_.duplicates, summary_.rejected,
        summary_.completed, summary_.retries, summary_.load_seconds, summary_.completed_seconds);
    for (const FileCounts& file : files_) {
      if (text.back() == '}') text.push_back(',');
      text.append("{\"file\":");
      json::AppendString(text, file.file);
      text.append(",\"class\":");
      json::AppendString(text, file.class_id);
      text.append(fmt::format(",\"rows\":{},\"rejected\":{}}}", file.rows, file.rejected));
    }
    return text.append("]}");
  }

  Runtime& runtime_;
  const LoadOptions& options_;
  Console console_;
  LoadPlan plan_;
  Summary summary_;
  std::vector<FileCounts> files_;
  std::vector<RejectedRow> rejected_;
  bool shown_ = false;
};

}  // namespace

int RunLoad(Runtime& runtime, const LoadOptions& options, Console console) {
  return Load(runtime, options, console).Run();
}

}  // namespace saffron
