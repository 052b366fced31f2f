#include "service/controller/attempt.h"

#include <gtest/gtest.h>

namespace galley::service {
namespace {

TEST(Attempt, TrainerdIsToldEveryKindOfExporter) {
  recipe::Exporter exporter;
  exporter.kind = recipe::ExporterKind::kJsonl;
  EXPECT_EQ(ExporterOf(exporter).kind(), v1::ExporterKind::JSONL);
  EXPECT_EQ(ExporterOf(exporter).listen(), "");
  exporter.kind = recipe::ExporterKind::kPrometheus;
  exporter.listen = "127.0.0.1:0";
  EXPECT_EQ(ExporterOf(exporter).kind(), v1::ExporterKind::PROMETHEUS);
  EXPECT_EQ(ExporterOf(exporter).listen(), "127.0.0.1:0");
}

}  // namespace
}  // namespace galley::service
