#include "service/node/sinks.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "exporters/jsonl.h"
#include "exporters/prometheus.h"
#include "runtime/base/file.h"
#include "runtime/metrics/bus.h"

namespace galley::service {
namespace {

metrics::StepRecord ToRecord(const v1::StepReport& step) {
  metrics::StepRecord r;
  r.step = step.step();
  r.attempt = step.attempt();
  r.samples = step.samples();
  r.tokens = step.tokens();
  r.samples_hash = step.samples_hash();
  r.loss = step.loss();
  r.lr = step.lr();
  r.grad_norm = step.grad_norm();
  r.global_batch = step.global_batch();
  r.step_seconds = step.step_seconds();
  r.data_seconds = step.data_seconds();
  r.tokens_per_second = step.tokens_per_second();
  if (step.has_mfu()) r.mfu = step.mfu();
  if (step.has_validation_loss()) r.validation_loss = step.validation_loss();
  for (const v1::SetLoss& set : step.validation_sets()) r.validation_sets.push_back({set.set(), set.loss()});
  if (step.has_checkpoint_stall_seconds()) r.checkpoint_stall_seconds = step.checkpoint_stall_seconds();
  return r;
}

class Sinks : public RunSinks {
 public:
  Sinks(const v1::EnsureAttempt& ensure, const std::string& node, const OnProblem& problem) {
    std::vector<std::unique_ptr<metrics::Sink>> sinks;
    const std::string text = ensure.exporters_json().empty() ? "[]" : ensure.exporters_json();
    const auto exporters = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!exporters.is_array()) problem("the exporters of the order cannot be read; nothing is recorded");
    for (const auto& exporter : exporters.is_array() ? exporters : nlohmann::json::array()) {
      const std::string kind = exporter.is_object() ? exporter.value("kind", "") : "";
      absl::Status status;
      if (kind == "jsonl") {
        auto sink = exporters::OpenJsonl(JoinPath(ensure.run_dir(), "metrics.jsonl"));
        status = sink.status();
        if (sink.ok()) sinks.push_back(*std::move(sink));
      } else if (kind == "prometheus") {
        status = OpenPrometheus(ensure, node, exporter.value("listen", "127.0.0.1:9464"), sinks, problem);
      } else {
        status = absl::UnimplementedError(absl::StrCat("exporter '", kind, "' is not known here"));
      }
      if (!status.ok()) problem(std::string(status.message()));
    }
    bus_ = std::make_unique<metrics::Bus>(std::move(sinks), [problem](const absl::Status& status) {
      problem(status.ok() ? "an exporter works again" : std::string(status.message()));
    });
  }

  void Push(const v1::StepReport& step, std::function<void()> written) override {
    bus_->Push(ToRecord(step), std::move(written));
  }
  void Mark(std::function<void()> reached) override { bus_->Mark(std::move(reached)); }
  void CheckpointCommitted(absl::Time at) override {
    if (prometheus_ != nullptr) prometheus_->CheckpointCommitted(at);
  }
  void Rest() override { bus_->Rest(); }
  void Drain() override { bus_->Drain(); }
  const std::string& metrics_address() const override { return address_; }

 private:
  absl::Status OpenPrometheus(const v1::EnsureAttempt& ensure, const std::string& node,
                              const std::string& listen, std::vector<std::unique_ptr<metrics::Sink>>& sinks,
                              const OnProblem& problem) {
    exporters::PrometheusOptions options;
    options.listen = listen;
    options.run = ensure.run_name();
    options.run_id = ensure.run_id();
    options.node = node;
    if (ensure.ranks_size() > 0) options.plan_hash = ensure.ranks(0).plan_hash();
    auto sink = exporters::ServePrometheus(options);
    if (!sink.ok()) return sink.status();
    prometheus_ = sink->get();
    address_ = prometheus_->address();
    const std::string asked = listen.substr(listen.rfind(':') + 1);
    if (asked != "0" && address_.substr(address_.rfind(':') + 1) != asked) {
      problem(absl::StrCat("metrics: ", listen, " is taken, the endpoint is ", address_));
    }
    sinks.push_back(*std::move(sink));
    return absl::OkStatus();
  }

  exporters::PrometheusSink* prometheus_ = nullptr;  // owned by the bus
  std::string address_;
  std::unique_ptr<metrics::Bus> bus_;
};

}  // namespace

std::unique_ptr<RunSinks> RunSinks::Open(const v1::EnsureAttempt& ensure, const std::string& node,
                                         const OnProblem& problem) {
  return std::make_unique<Sinks>(ensure, node, problem);
}

}  // namespace galley::service
