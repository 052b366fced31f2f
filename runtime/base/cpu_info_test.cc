#include "runtime/base/cpu_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace galley {
namespace {

using ::testing::HasSubstr;

TEST(CpuInfo, PeakIsFlopPerCycleTimesCoresTimesBaseClock) {
  CpuFacts facts;
  facts.vendor = "GenuineIntel";
  facts.cores = 56;
  facts.avx2 = facts.avx512 = facts.avx512_bf16 = facts.amx_bf16 = true;
  facts.base_hz = 2e9;
  facts.base_source = "cpuid leaf 0x16";
  const CpuPeak peak = PeakOf(facts);
  EXPECT_EQ(peak.isa, "amx_bf16");
  EXPECT_DOUBLE_EQ(peak.f32_flops, 64.0 * 56 * 2e9);
  EXPECT_DOUBLE_EQ(peak.bf16_flops, 1024.0 * 56 * 2e9);
  EXPECT_EQ(peak.source,
            "AVX-512 f32 and AMX bf16: 64 and 1024 FLOP/cycle x 56 cores x 2 GHz (cpuid leaf 0x16)");
}

TEST(CpuInfo, EachInstructionSetHasItsRate) {
  CpuFacts facts;
  facts.vendor = "AuthenticAMD";
  facts.base_hz = 1;
  EXPECT_EQ(PeakOf(facts).isa, "baseline");
  EXPECT_EQ(PeakOf(facts).f32_flops, 0);
  facts.avx2 = true;
  EXPECT_EQ(PeakOf(facts).isa, "avx2");
  EXPECT_EQ(PeakOf(facts).f32_flops, 32);
  facts.avx512 = facts.avx512_bf16 = true;
  facts.family = 25;
  EXPECT_EQ(PeakOf(facts).f32_flops, 32);
  EXPECT_EQ(PeakOf(facts).bf16_flops, 64);
  facts.family = 26;
  EXPECT_EQ(PeakOf(facts).f32_flops, 64);
  EXPECT_EQ(PeakOf(facts).bf16_flops, 128);
}

TEST(CpuInfo, AnUnknownClockIsNotMeasuredNeverAGuess) {
  CpuFacts facts;
  facts.model = "AMD EPYC";
  facts.avx2 = true;
  const CpuPeak peak = PeakOf(facts);
  EXPECT_EQ(peak.f32_flops, 0);
  EXPECT_EQ(peak.bf16_flops, 0);
  EXPECT_THAT(peak.source, HasSubstr("not measured"));
  EXPECT_THAT(peak.source, HasSubstr("AMD EPYC"));
}

TEST(CpuInfo, ReadsTheClockOfAModelName) {
  EXPECT_EQ(ClockOfModelName("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"), 2.4e9);
  EXPECT_EQ(ClockOfModelName("AMD EPYC 7763 64-Core Processor"), 0);
  EXPECT_EQ(ClockOfModelName("@ xGHz"), 0);
  EXPECT_EQ(ClockOfModelName("GHz @ "), 0);
}

TEST(CpuInfo, ThisMachineHasCoresAndAKnownInstructionSet) {
  const CpuFacts facts = ReadCpuFacts();
  EXPECT_GE(facts.cpus, 1);
  EXPECT_GE(facts.cores, 1);
  EXPECT_LE(facts.cores, facts.cpus);
  EXPECT_FALSE(PeakOf(facts).source.empty());
}

}  // namespace
}  // namespace galley
