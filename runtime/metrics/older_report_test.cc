// The bytes are those that a rank of the version before StepReport.values wrote.
#include "runtime/metrics/older_report.h"

#include <gtest/gtest.h>

#include "runtime/metrics/json_line.h"
#include "runtime/metrics/report.h"

namespace galley::metrics {
namespace {

template <size_t N>
v1::StepReport Parsed(const char (&bytes)[N]) {
  v1::StepReport report;
  EXPECT_TRUE(report.ParseFromArray(bytes, N - 1));
  return report;
}

TEST(OlderReport, EveryValueIsRead) {
  const StepRecord record = FromReport(Parsed(
      "\010\007\020\002\030p \200\340\001)\0202Tv\230\272\334\3761\3579\372\376B.\026@9\361h\343\210"
      "\265\370\004\077A\000\000\000\000\000\000\364\077H\020Q\000\000\000\000\000\000\340\077a\000\000"
      "\000\000\000\000\300@i\000\000\000\000\000\000\330\077q\000\000\000\000\000\000\000\000y\000\000"
      "\000\000\000\000\300\077\202\001\014\012\001b\021\000\000\000\000\000\000\004@\202\001\014\012"
      "\001a\021\000\000\000\000\000\000\014@"));
  EXPECT_EQ(record.Get<"step">(), 7);
  EXPECT_EQ(record.Get<"attempt">(), 2);
  EXPECT_EQ(record.Get<"samples">(), 112);
  EXPECT_EQ(record.Get<"tokens">(), 28672);
  EXPECT_EQ(record.Get<"samples_hash">(), 0xfedcba9876543210);
  EXPECT_EQ(record.Get<"loss">(), 5.545177444479562);
  EXPECT_EQ(record.Get<"lr">(), 4e-5);
  EXPECT_EQ(record.Get<"grad_norm">(), 1.25);
  EXPECT_EQ(record.Get<"global_batch">(), 16);
  EXPECT_EQ(record.Get<"global_batch_tokens">(), 4096);
  EXPECT_EQ(record.Get<"step_seconds">(), 0.5);
  EXPECT_EQ(record.Get<"data_seconds">(), 0);
  EXPECT_EQ(record.Get<"tokens_per_second">(), 8192);
  EXPECT_EQ(record.Get<"mfu">(), 0.375);
  EXPECT_EQ(record.Get<"validation_loss">(), 0) << "measured, and 0";
  EXPECT_EQ(record.Get<"checkpoint_stall_seconds">(), 0.125);
  ASSERT_EQ(record.sets().size(), 2u);
  EXPECT_EQ(record.sets()[0].set, "b");
  EXPECT_EQ(record.sets()[0].value, 2.5);
  EXPECT_EQ(record.sets()[1].set, "a");
  EXPECT_EQ(record.sets()[1].value, 3.5);
  // A controller of this version is told it as it is, and passes on what it made of it.
  EXPECT_EQ(JsonLine(FromReport(ToReport(record))), JsonLine(record));
}

TEST(OlderReport, WhatWasNotMeasuredIsAbsent) {
  const StepRecord record =
      FromReport(Parsed("\010\010\020\002\030\200\001 \200\200\0021\000\000\000\000\000\000\026@H\020"));
  EXPECT_EQ(record.Get<"step">(), 8);
  EXPECT_EQ(record.Get<"loss">(), 5.5);
  EXPECT_FALSE(record.Get<"mfu">().has_value());
  EXPECT_FALSE(record.Get<"validation_loss">().has_value());
  EXPECT_FALSE(record.Get<"checkpoint_stall_seconds">().has_value());
  EXPECT_TRUE(record.sets().empty());
}

}  // namespace
}  // namespace galley::metrics
