// Opening a store on S3: what the options say, and the bucket, made when it is missing.
#include "adapters/s3/s3_requests.h"
#include "adapters/s3/s3_store.h"

namespace saffron {
namespace {

constexpr char kVersioningQuery[] = "versioning=";
constexpr char kNamespace[] = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

// A refusal while starting is for the operator to mend: asking again does not help.
Error Refused(S3Requests& requests, const S3Answer& answer, const std::string& what) {
  return Invalid(requests.Refusal(answer, what).message());
}

Status SetVersioning(S3Requests& requests, const std::string& status) {
  S3Request request;
  request.method = "PUT";
  request.query = kVersioningQuery;
  request.body = std::string("<VersioningConfiguration ") + kNamespace + "><Status>" + status +
                 "</Status></VersioningConfiguration>";
  SAFFRON_ASSIGN(S3Answer answer, requests.Call(std::move(request)));
  if (!answer.ok()) return requests.Refusal(answer, "set the bucket's versioning");
  return Ok();
}

// False: If-None-Match is accepted and ignored. radosgw does so in a bucket with versioning.
Result<bool> ConditionsHold(S3Requests& requests) {
  const std::string key = ".saffron/probe/" + requests.runtime().NewUuid().ToString();
  bool refused = false;
  for (const char* body : {"first", "second"}) {
    S3Request request;
    request.method = "PUT";
    request.key = key;
    request.headers.Add("If-None-Match", "*");
    request.body = body;
    SAFFRON_ASSIGN(S3Answer answer, requests.Call(std::move(request)));
    refused = answer.response.status == 412;
    if (!answer.ok() && !refused) return Refused(requests, answer, "probe the bucket");
  }
  S3Request remove;
  remove.method = "DELETE";
  remove.key = key;
  SAFFRON_TRY(requests.Call(std::move(remove)));
  return refused;
}

// Of a bucket that was just made. Versions are a second line of defence, conditions the first.
Status AddVersions(S3Requests& requests, const std::string& bucket) {
  Log& log = requests.log();
  const Status enabled = SetVersioning(requests, "Enabled");
  if (!enabled.ok()) {
    log.Warning("s3.bucket_made",
                {{"bucket", bucket}, {"versioning", false}, {"why", enabled.error().message()}});
    return Ok();
  }
  SAFFRON_ASSIGN(const bool hold, ConditionsHold(requests));
  if (hold) {
    log.Info("s3.bucket_made", {{"bucket", bucket}, {"versioning", true}});
    return Ok();
  }
  SAFFRON_TRY(SetVersioning(requests, "Suspended"));
  log.Warning("s3.bucket_made",
              {{"bucket", bucket},
               {"versioning", false},
               {"why", "this store ignores If-None-Match in a bucket with versioning"}});
  return Ok();
}

Status MakeBucket(S3Requests& requests, const S3StoreOptions& options) {
  S3Request request;
  request.method = "PUT";
  if (options.region != "us-east-1") {
    request.body = std::string("<CreateBucketConfiguration ") + kNamespace +
                   "><LocationConstraint>" + options.region +
                   "</LocationConstraint></CreateBucketConfiguration>";
  }
  SAFFRON_ASSIGN(S3Answer answer, requests.Call(std::move(request)));
  if (answer.Is(409, "BucketAlreadyExists")) {
    return Invalid("the bucket " + options.bucket + " belongs to somebody else");
  }
  // Ours already: another process of this start has made it.
  if (!answer.ok() && !answer.Is(409, "BucketAlreadyOwnedByYou")) {
    return Refused(requests, answer, "make the bucket " + options.bucket);
  }
  return AddVersions(requests, options.bucket);
}

// Of a bucket whose versioning may not be asked for.
Status CheckAccess(S3Requests& requests, const std::string& bucket) {
  S3Request request;
  request.query = "list-type=2&max-keys=1";
  SAFFRON_ASSIGN(S3Answer answer, requests.Call(std::move(request)));
  if (answer.ok()) return Ok();
  return Invalid(requests.Refusal(answer, "list the bucket " + bucket).message() +
                 " (it may be somebody else's)");
}

Status PrepareBucket(S3Requests& requests, const S3StoreOptions& options) {
  S3Request request;
  request.query = kVersioningQuery;
  SAFFRON_ASSIGN(S3Answer answer, requests.Call(std::move(request)));
  if (answer.Is(404, "NoSuchBucket")) {
    if (options.when_missing == WhenMissing::kMake) return MakeBucket(requests, options);
    return NotFound("there is no bucket " + options.bucket);
  }
  if (answer.Is(403, "AccessDenied")) return CheckAccess(requests, options.bucket);
  if (!answer.ok()) return Refused(requests, answer, "open the bucket " + options.bucket);
  Result<std::string> versioning = ParseS3Versioning(answer.response.body);
  if (!versioning.ok()) {
    return Invalid("what answers at " + requests.address().endpoint() +
                   " does not speak S3: " + versioning.error().message());
  }
  if (*versioning != "Enabled") {
    requests.log().Warning("s3.bucket_without_versions", {{"bucket", options.bucket}});
  }
  return Ok();
}

}  // namespace

Result<std::unique_ptr<S3Store>> S3Store::Open(S3StoreOptions options, Runtime& runtime, Log& log) {
  SAFFRON_ASSIGN(S3Address address, S3Address::Of(options));
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty()) {
    return Invalid("the object store at " + address.endpoint() +
                   " needs credentials: set MINIO_ACCESS_KEY and MINIO_SECRET_KEY");
  }
  if (options.region.empty() || PlainS3Name(options.region) != options.region) {
    return Invalid("not a region: '" + options.region + "' (SAFFRON_S3_REGION)");
  }
  if (options.limits.max_connections == 0) return Invalid("an S3 store needs a connection");
  const std::string description = "S3 bucket " + options.bucket + " at " + address.endpoint();
  auto requests = std::make_unique<S3Requests>(options, std::move(address), runtime, log);
  SAFFRON_TRY(PrepareBucket(*requests, options));
  return std::unique_ptr<S3Store>(new S3Store(std::move(requests), description));
}

}  // namespace saffron
