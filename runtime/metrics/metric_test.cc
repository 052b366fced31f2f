#include "runtime/metrics/metric.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "runtime/base/file.h"
#include "runtime/metrics/json_line.h"
#include "runtime/metrics/report.h"
#include "tests/support/paths.h"

namespace galley::metrics {
namespace {

// A value of every metric, whichever the table has.
StepRecord Full() {
  StepRecord record;
  for (size_t i = 0; i < kMetricCount; ++i) {
    switch (kMetrics[i].kind) {
      case Kind::kCount:
        record.SetBits(
            i, std::bit_cast<uint64_t>(std::numeric_limits<int64_t>::max() - static_cast<int64_t>(i)));
        break;
      case Kind::kHash:
        record.SetBits(i, std::numeric_limits<uint64_t>::max() - i);
        break;
      case Kind::kReal:
        record.SetBits(i, std::bit_cast<uint64_t>(0.1 * static_cast<double>(i + 1)));
        break;
      case Kind::kRealBySet:
        record.SetOf(i, "b", 0.3);
        record.SetOf(i, "a", 0.7);
        break;
    }
  }
  return record;
}

void ExpectSame(const StepRecord& a, const StepRecord& b, size_t metric) {
  ASSERT_EQ(a.Has(metric), b.Has(metric)) << kMetrics[metric].name;
  EXPECT_EQ(a.Bits(metric), b.Bits(metric)) << kMetrics[metric].name;
}

void ExpectSameSets(const StepRecord& a, const StepRecord& b) {
  ASSERT_EQ(a.sets().size(), b.sets().size());
  for (size_t i = 0; i < a.sets().size(); ++i) {
    EXPECT_EQ(a.sets()[i].metric, b.sets()[i].metric);
    EXPECT_EQ(a.sets()[i].set, b.sets()[i].set);
    EXPECT_EQ(a.sets()[i].value, b.sets()[i].value);
  }
}

TEST(Metrics, EachIsExactInReportAndJson) {
  const StepRecord full = Full();
  const StepRecord reported = FromReport(ToReport(full));
  const std::string line = JsonLine(full);
  const auto read = ReadJsonLine(line);
  ASSERT_TRUE(read.has_value()) << line;
  for (size_t i = 0; i < kMetricCount; ++i) {
    ExpectSame(reported, full, i);
    const bool in_jsonl = kMetrics[i].jsonl != InJsonl::kNone;
    EXPECT_EQ(line.find(std::string("\"") + kMetrics[i].name + "\":") != std::string::npos, in_jsonl);
    if (in_jsonl) ExpectSame(*read, full, i);
  }
  ExpectSameSets(reported, full);
  ExpectSameSets(*read, full);
}

TEST(Metrics, WhatIsNotMeasuredIsAbsent) {
  EXPECT_EQ(ToReport({}).values_size(), 0);
  const StepRecord none = FromReport({});
  for (size_t i = 0; i < kMetricCount; ++i) {
    EXPECT_FALSE(none.Has(i));
    EXPECT_FALSE(none.AsReal(i).has_value());
    const bool null =
        JsonLine(none).find(std::string("\"") + kMetrics[i].name + "\":null") != std::string::npos;
    EXPECT_EQ(null, kMetrics[i].jsonl == InJsonl::kEveryLine) << kMetrics[i].name;
  }
}

TEST(Metrics, AReportOfANewerVersionIsReadWithoutWhatIsNew) {
  v1::StepReport report = ToReport(Full());
  v1::StepValue& value = *report.add_values();
  value.set_metric(1'000'000);
  value.set_bits(7);
  EXPECT_EQ(JsonLine(FromReport(report)), JsonLine(Full()));
}

TEST(Metrics, AValueStaysAsLongAsTheTableSays) {
  StepRecord record = Full();
  StepRecord next;
  next.Set<"step">(int64_t{2});
  record.Follow(next);
  for (size_t i = 0; i < kMetricCount; ++i) {
    EXPECT_EQ(record.Has(i), next.Has(i) || kMetrics[i].stays == Stays::kUntilTheNext) << kMetrics[i].name;
  }
  EXPECT_EQ(record.step(), 2);
  EXPECT_EQ(record.sets().size(), 2u);
  next.Set<"validation_sets">("b", 0.2);
  record.Follow(next);
  ASSERT_EQ(record.sets().size(), 1u);
  EXPECT_EQ(record.sets()[0].value, 0.2);
}

// docs/metrics.md holds the table between two marks. To renew it, run this test with GALLEY_WRITE_DOCS=1.
TEST(Metrics, TheDocsAreTheTable) {
  const std::string path = SourceDir() + "/docs/metrics.md";
  constexpr char kBegin[] = "<!-- begin generated -->\n", kEnd[] = "<!-- end generated -->";
  const std::string text = ReadFile(path).value();
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const size_t body = begin + sizeof kBegin - 1;
  if (getenv("GALLEY_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(AtomicWrite(path, text.substr(0, body) + MarkdownTable() + text.substr(end)).ok());
    return;
  }
  EXPECT_EQ(text.substr(body, end - body), MarkdownTable());
}

}  // namespace
}  // namespace galley::metrics
