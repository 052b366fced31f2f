#include "exporters/prometheus.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <charconv>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"

namespace galley::exporters {
namespace {

using metrics::StepRecord;
using prometheus::Labels;

// A gauge whose series exists only while it has a value.
class LazyGauge {
 public:
  LazyGauge(prometheus::Registry& registry, const char* name, const char* help, Labels labels)
      : family_(prometheus::BuildGauge().Name(name).Help(help).Register(registry)),
        labels_(std::move(labels)) {}

  void Set(std::optional<double> value) {
    if (value.has_value()) {
      if (gauge_ == nullptr) gauge_ = &family_.Add(labels_);
      gauge_->Set(*value);
    } else if (gauge_ != nullptr) {
      family_.Remove(std::exchange(gauge_, nullptr));
    }
  }

 private:
  prometheus::Family<prometheus::Gauge>& family_;
  const Labels labels_;
  prometheus::Gauge* gauge_ = nullptr;
};

struct GaugeOfStep {
  const char* name;
  const char* help;
  std::function<std::optional<double>(const StepRecord&)> value;
  bool keep = false;  // without a new value the last one stays
};

double Tokens(const StepRecord& r) {  // of this step; every sample has the same length
  return r.samples > 0 ? static_cast<double>(r.global_batch) *
                             (static_cast<double>(r.tokens) / static_cast<double>(r.samples))
                       : 0;
}

const std::vector<GaugeOfStep>& StepGauges() {
  static const std::vector<GaugeOfStep> gauges = {
      {"galley_run_step", "Last finished optimizer step.",
       [](const StepRecord& r) { return static_cast<double>(r.step); }},
      {"galley_run_attempt", "Attempt that trains.",
       [](const StepRecord& r) { return static_cast<double>(r.attempt); }},
      {"galley_run_samples", "Samples consumed; goes back after a recovery.",
       [](const StepRecord& r) { return static_cast<double>(r.samples); }},
      {"galley_run_tokens", "Tokens consumed; goes back after a recovery.",
       [](const StepRecord& r) { return static_cast<double>(r.tokens); }},
      {"galley_run_loss", "Mean training loss of the last step, nats.",
       [](const StepRecord& r) { return r.loss; }},
      {"galley_run_validation_loss", "Validation loss of the last evaluation, nats.",
       [](const StepRecord& r) { return r.validation_loss; }, true},
      {"galley_run_learning_rate", "Learning rate of the last step.",
       [](const StepRecord& r) { return r.lr; }},
      {"galley_run_grad_norm", "Gradient norm of the last step before clipping.",
       [](const StepRecord& r) { return r.grad_norm; }},
      {"galley_run_global_batch_tokens", "Tokens of the last step.",
       [](const StepRecord& r) { return Tokens(r); }},
      {"galley_run_tokens_per_second", "Tokens per second of the last step.",
       [](const StepRecord& r) { return r.tokens_per_second; }},
      {"galley_run_mfu_ratio",
       "Model FLOP/s over the peak of the machine; absent when the peak is not known.",
       [](const StepRecord& r) { return r.mfu; }},
      {"galley_checkpoint_stall_seconds", "Time the last checkpoint held up its step.",
       [](const StepRecord& r) { return r.checkpoint_stall_seconds; }, true},
  };
  return gauges;
}

const std::vector<double>& StepBuckets() {
  static const std::vector<double> buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                              2.5,   5,    10,    25,   50,  100,  250};
  return buckets;
}

class Sink : public metrics::Sink {
 public:
  explicit Sink(const PrometheusOptions& options)
      : registry_(std::make_shared<prometheus::Registry>()),
        labels_{{"run", options.run}},
        data_wait_(*registry_, "galley_node_data_wait_seconds",
                   "Time of the last step spent waiting for data.",
                   {{"run", options.run}, {"node", options.node}}),
        checkpoint_(*registry_, "galley_run_last_checkpoint_timestamp_seconds",
                    "Unix time of the last committed checkpoint.", labels_),
        tokens_(prometheus::BuildCounter()
                    .Name("galley_run_tokens_processed_total")
                    .Help("Tokens trained on, with those trained again after a recovery.")
                    .Register(*registry_)),
        seconds_(prometheus::BuildHistogram()
                     .Name("galley_run_step_duration_seconds")
                     .Help("Duration of optimizer steps.")
                     .Register(*registry_)) {
    for (const auto& gauge : StepGauges()) {
      gauges_.push_back(std::make_unique<LazyGauge>(*registry_, gauge.name, gauge.help, labels_));
    }
    Labels info = labels_;
    info["run_id"] = options.run_id;
    info["plan_hash"] = options.plan_hash;
    prometheus::BuildGauge()
        .Name("galley_run_info")
        .Help("The run; always 1.")
        .Register(*registry_)
        .Add(info)
        .Set(1);
  }

  // Throws what civetweb throws when it cannot listen.
  void Listen(const std::string& host, int port) {
    exposer_ = std::make_unique<prometheus::Exposer>(absl::StrCat(host, ":", port));
    exposer_->RegisterCollectable(registry_);
    const std::vector<int> ports = exposer_->GetListeningPorts();
    address_ = absl::StrCat(host, ":", ports.empty() ? port : ports.front());
  }

  absl::Status Write(const StepRecord& record) override {
    const auto& gauges = StepGauges();
    for (size_t i = 0; i < gauges.size(); ++i) {
      const std::optional<double> value = gauges[i].value(record);
      if (value.has_value() || !gauges[i].keep) gauges_[i]->Set(value);
    }
    for (const metrics::SetLoss& set : record.validation_sets) SetGauge(set.set).Set(set.loss);
    data_wait_.Set(record.data_seconds);
    tokens_.Add(labels_).Increment(Tokens(record));  // Add gives the same counter each time
    seconds_.Add(labels_, StepBuckets()).Observe(record.step_seconds);
    return absl::OkStatus();
  }

  void CheckpointCommitted(absl::Time at) override {
    MutexLock lock(mutex_);
    checkpoint_.Set(absl::ToDoubleSeconds(at - absl::UnixEpoch()));
  }

  const std::string& address() const override { return address_; }

 private:
  // Few: a recipe names them.
  LazyGauge& SetGauge(const std::string& set) {
    std::unique_ptr<LazyGauge>& gauge = sets_[set];
    if (gauge == nullptr) {
      Labels labels = labels_;
      labels["set"] = set;
      gauge =
          std::make_unique<LazyGauge>(*registry_, "galley_run_validation_set_loss",
                                      "Loss of a named validation set at the last evaluation, nats.", labels);
    }
    return *gauge;
  }

  std::shared_ptr<prometheus::Registry> registry_;  // owned with the exposer, which holds it weakly
  const Labels labels_;
  std::vector<std::unique_ptr<LazyGauge>> gauges_;  // by index of StepGauges
  std::map<std::string, std::unique_ptr<LazyGauge>> sets_;
  LazyGauge data_wait_;
  Mutex mutex_;
  LazyGauge checkpoint_ ABSL_GUARDED_BY(mutex_);
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  std::string address_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // ends first: it reads the registry
};

struct HostPort {
  std::string host;
  int port = 0;
};

absl::StatusOr<HostPort> ParseListen(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  HostPort out;
  const char* end = listen.data() + listen.size();
  const char* digits = colon == std::string::npos ? end : listen.data() + colon + 1;
  const auto parsed = std::from_chars(digits, end, out.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || out.port < 0 || out.port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("prometheus: listen '", listen, "' is not host:port, such as 127.0.0.1:9464"));
  }
  out.host = listen.substr(0, colon);
  if (out.host == "localhost") out.host = "127.0.0.1";
  if (!absl::StartsWith(out.host, "127.") && out.host != "[::1]") {
    return absl::InvalidArgumentError(absl::StrCat("prometheus: listen '", listen,
                                                   "' is not a loopback address; the endpoint has no TLS, so "
                                                   "listen on 127.0.0.1 and put a proxy in front"));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<metrics::Sink>> ServePrometheus(const PrometheusOptions& options) {
  ASSIGN_OR_RETURN(HostPort at, ParseListen(options.listen));
  auto sink = std::make_unique<Sink>(options);
  try {
    sink->Listen(at.host, at.port);
    return sink;
  } catch (const std::exception&) {
    // Most likely another run's endpoint; a run is not refused for that, so any free port will do.
  }
  try {
    sink->Listen(at.host, 0);
    return sink;
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("prometheus: cannot listen on ", at.host, ": ", error.what()));
  }
}

}  // namespace galley::exporters
