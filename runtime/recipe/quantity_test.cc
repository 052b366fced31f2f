#include "runtime/recipe/quantity.h"

#include <gtest/gtest.h>

namespace galley::recipe {
namespace {

TEST(Quantity, Integers) {
  const std::pair<const char*, int64_t> kGood[] = {{"0", 0},
                                                   {"-3", -3},
                                                   {"1_000_000", 1000000},
                                                   {"5M", 5000000},
                                                   {"2.5B", 2500000000},
                                                   {"0.001K", 1},
                                                   {"1e6", 1000000},
                                                   {"1.50e2", 150},
                                                   {"9T", 9000000000000},
                                                   {"9223372036854775807", INT64_MAX},
                                                   {"-9223372036854775808", INT64_MIN}};
  for (const auto& [text, value] : kGood) EXPECT_EQ(ParseInteger(text).value(), value) << text;
  for (const char* text : {"", "-", "1.5", "1e-1", "1__0", "_1", "1_", "0x10", "1 0", "5k", "5MM", "1e", "e5",
                           "1e99999", "9223372036854775808", "nan", "."}) {
    EXPECT_FALSE(ParseInteger(text).ok()) << text;
  }
}

// The decimal is read once, not as a product of two roundings.
TEST(Quantity, NumbersAreTheNearestDouble) {
  EXPECT_EQ(ParseNumber("0.1").value(), 0.1);
  EXPECT_EQ(ParseNumber("1e-8").value(), 1e-8);
  EXPECT_EQ(ParseNumber("2.3B").value(), 2.3e9);
  EXPECT_EQ(ParseNumber("-1_0.5").value(), -10.5);
  EXPECT_EQ(ParseNumber(".5").value(), .5);
  for (const char* text : {"inf", "nan", "1e400", "one", "", "1.2.3", "--1"})
    EXPECT_FALSE(ParseNumber(text).ok()) << text;
}

TEST(Quantity, PrintedNumbersReadBackTheSame) {
  for (double value : {0.1, 1e-8, 2e-3, 4294967296.0, 1.0 / 3, 5e-324, 1.7976931348623157e308, 0.0}) {
    EXPECT_EQ(ParseNumber(PrintNumber(value)).value(), value);
  }
}

TEST(Quantity, Amounts) {
  EXPECT_EQ(ParseAmount("216320 samples").value(), (Amount{216320, Unit::kSamples}));
  EXPECT_EQ(ParseAmount("1 step").value(), (Amount{1, Unit::kSteps}));
  EXPECT_EQ(ParseAmount("300B tokens").value(), (Amount{300000000000, Unit::kTokens}));
  EXPECT_EQ(PrintAmount({1, Unit::kSamples}), "1 sample");
  EXPECT_EQ(PrintAmount({600, Unit::kSteps}), "600 steps");
  for (const char* text :
       {"600", "steps", "600steps", "1.5 steps", "5 epochs", "5 Steps", "5 steps ", " 5 steps"}) {
    EXPECT_FALSE(ParseAmount(text).ok()) << text;
  }
}

TEST(Quantity, Durations) {
  EXPECT_EQ(ParseDuration("90s").value(), 90);
  EXPECT_EQ(ParseDuration("19h50m").value(), 71400);
  EXPECT_EQ(ParseDuration("3d").value(), 259200);
  for (int64_t seconds : {0, 1, 59, 60, 3661, 71400, 90000, 259200}) {
    EXPECT_EQ(ParseDuration(PrintDuration(seconds)).value(), seconds);
  }
  for (const char* text : {"", "90", "50m19h", "1h1h", "1.5h", "h", "-5s", "1w", "9999999999s"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

}  // namespace
}  // namespace galley::recipe
