#include "exporters/prometheus.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <charconv>
#include <exception>
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

const std::vector<double>& StepBuckets() {
  static const std::vector<double> buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                              2.5,   5,    10,    25,   50,  100,  250};
  return buckets;
}

class Sink : public metrics::Sink {
 public:
  explicit Sink(const PrometheusOptions& options)
      : registry_(std::make_shared<prometheus::Registry>()), labels_{{"run", options.run}} {
    Labels node = labels_;
    node["node"] = options.node;
    for (size_t i = 0; i < metrics::kMetricCount; ++i) AddGauge(i, metrics::kMetrics[i].node_gauge, node);
    checkpoint_ = std::make_unique<LazyGauge>(*registry_, "galley_run_last_checkpoint_timestamp_seconds",
                                              "Unix time of the last committed checkpoint.", labels_);
    for (size_t i = 0; i < metrics::kMetricCount; ++i) {
      const metrics::Metric& metric = metrics::kMetrics[i];
      if (metric.kind != metrics::Kind::kRealBySet) AddGauge(i, metric.gauge, labels_);
      if (metric.counter != nullptr) {
        counters_.emplace_back(
            i,
            prometheus::BuildCounter().Name(metric.counter).Help(metric.counter_help).Register(*registry_));
      }
      if (metric.histogram != nullptr) {
        histograms_.emplace_back(
            i, prometheus::BuildHistogram().Name(metric.histogram).Help(metric.help).Register(*registry_));
      }
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
    last_.Follow(record);
    for (auto& [metric, gauge] : gauges_) gauge->Set(last_.AsReal(metric));
    for (const metrics::SetValue& value : record.sets()) SetGauge(value).Set(value.value);
    // Add gives the same series each time.
    for (auto& [metric, counter] : counters_) {
      if (record.Has(metric)) counter.Add(labels_).Increment(*record.AsReal(metric));
    }
    for (auto& [metric, histogram] : histograms_) {
      if (record.Has(metric)) histogram.Add(labels_, StepBuckets()).Observe(*record.AsReal(metric));
    }
    return absl::OkStatus();
  }

  void CheckpointCommitted(absl::Time at) override {
    MutexLock lock(mutex_);
    checkpoint_->Set(absl::ToDoubleSeconds(at - absl::UnixEpoch()));
  }

  const std::string& address() const override { return address_; }

 private:
  void AddGauge(size_t metric, const char* series, const Labels& labels) {
    if (series == nullptr) return;
    gauges_.emplace_back(
        metric, std::make_unique<LazyGauge>(*registry_, series, metrics::kMetrics[metric].help, labels));
  }

  // Few: a recipe names the sets.
  LazyGauge& SetGauge(const metrics::SetValue& value) {
    std::unique_ptr<LazyGauge>& gauge = sets_[{value.metric, value.set}];
    if (gauge == nullptr) {
      const metrics::Metric& metric = metrics::kMetrics[value.metric];
      Labels labels = labels_;
      labels["set"] = value.set;
      gauge = std::make_unique<LazyGauge>(*registry_, metric.gauge, metric.help, labels);
    }
    return *gauge;
  }

  std::shared_ptr<prometheus::Registry> registry_;  // owned with the exposer, which holds it weakly
  const Labels labels_;
  StepRecord last_;  // with what stays of the steps before
  // With the index of the metric they show.
  std::vector<std::pair<size_t, std::unique_ptr<LazyGauge>>> gauges_;
  std::map<std::pair<size_t, std::string>, std::unique_ptr<LazyGauge>> sets_;
  std::vector<std::pair<size_t, prometheus::Family<prometheus::Counter>&>> counters_;
  std::vector<std::pair<size_t, prometheus::Family<prometheus::Histogram>&>> histograms_;
  Mutex mutex_;
  std::unique_ptr<LazyGauge> checkpoint_ ABSL_PT_GUARDED_BY(mutex_);
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
