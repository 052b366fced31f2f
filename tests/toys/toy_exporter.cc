#include "tests/toys/toy_exporter.h"

namespace galley::service {
namespace {

class ToySink : public metrics::Sink {
 public:
  absl::Status Write(const metrics::StepRecord& record) override {
    ToySteps().push_back(record.step());
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenToyExporter(const ExporterOrder&) {
  return std::make_unique<ToySink>();
}

std::vector<int64_t>& ToySteps() {
  static std::vector<int64_t> steps;
  return steps;
}

}  // namespace galley::service
