#include "service/node/sinks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/metrics/bus.h"
#include "service/node/exporter_kinds.h"

namespace galley::service {
namespace {

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenExporter(const ExporterOrder& order) {
  for (const ExporterKind& kind : ExporterKinds()) {
    if (kind.kind == order.exporter.kind()) return kind.open(order);
  }
  return absl::UnimplementedError(
      absl::StrCat("exporter kind ", order.exporter.kind(), " is not known to this trainerd"));
}

class Sinks : public RunSinks {
 public:
  Sinks(const v1::EnsureAttempt& ensure, const std::string& node, const OnProblem& problem) {
    std::vector<std::unique_ptr<metrics::Sink>> sinks;
    for (const v1::Exporter& exporter : ensure.exporters()) {
      auto sink = OpenExporter({ensure, node, exporter, problem});
      if (!sink.ok()) {
        problem(std::string(sink.status().message()));
        continue;
      }
      if (!(*sink)->address().empty()) address_ = (*sink)->address();
      sinks_.push_back(sink->get());
      sinks.push_back(*std::move(sink));
    }
    bus_ = std::make_unique<metrics::Bus>(std::move(sinks), [problem](const absl::Status& status) {
      problem(status.ok() ? "an exporter works again" : std::string(status.message()));
    });
  }

  void Push(const metrics::StepRecord& step, std::function<void()> written) override {
    bus_->Push(step, std::move(written));
  }
  void Mark(std::function<void()> reached) override { bus_->Mark(std::move(reached)); }
  void CheckpointCommitted(absl::Time at) override {
    for (metrics::Sink* sink : sinks_) sink->CheckpointCommitted(at);
  }
  void Rest() override { bus_->Rest(); }
  void Drain() override { bus_->Drain(); }
  const std::string& metrics_address() const override { return address_; }

 private:
  std::vector<metrics::Sink*> sinks_;  // the bus's
  std::string address_;
  std::unique_ptr<metrics::Bus> bus_;
};

}  // namespace

std::unique_ptr<RunSinks> RunSinks::Open(const v1::EnsureAttempt& ensure, const std::string& node,
                                         const OnProblem& problem) {
  return std::make_unique<Sinks>(ensure, node, problem);
}

}  // namespace galley::service
