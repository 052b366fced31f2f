#include "runtime/recipe/quantity.h"

#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace galley::recipe {
namespace {

absl::Status Expected(absl::string_view what, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", got '", got, "'"));
}

// A decimal as digits x 10^exponent, so that 2.5B is exact.
struct Decimal {
  bool negative = false;
  std::string digits;  // without leading zeros; empty: 0
  int64_t exponent = 0;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes digits from `text`; an underscore may stand between two digits.
std::string TakeDigits(absl::string_view& text) {
  std::string digits;
  while (!text.empty()) {
    if (IsDigit(text[0])) {
      digits += text[0];
    } else if (text[0] != '_' || digits.empty() || text.size() < 2 || !IsDigit(text[1])) {
      break;
    }
    text.remove_prefix(1);
  }
  return digits;
}

int SuffixExponent(char c) {
  switch (c) {
    case 'K':
      return 3;
    case 'M':
      return 6;
    case 'B':
      return 9;
    case 'T':
      return 12;
    default:
      return 0;
  }
}

// Takes a sign, if one is there; true for a minus.
bool TakeMinus(absl::string_view& text) {
  if (absl::ConsumePrefix(&text, "+")) return false;
  return absl::ConsumePrefix(&text, "-");
}

// What may follow a number's digits, to the end of the text: nothing, a suffix, or (e sign? digits).
bool ParseExponent(absl::string_view text, int64_t& exponent) {
  exponent = 0;
  if (text.empty()) return true;
  if (text.size() == 1 && SuffixExponent(text[0]) != 0) {
    exponent = SuffixExponent(text[0]);
    return true;
  }
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  const bool minus = TakeMinus(text);
  const std::string digits = TakeDigits(text);
  // Four digits are more than a double or an int64 can use,
  // and keep stoi and the sums below from overflowing.
  if (digits.empty() || digits.size() > 4 || !text.empty()) return false;
  exponent = minus ? -std::stoi(digits) : std::stoi(digits);
  return true;
}

// sign? digits (. digits)? (e sign? digits)? or a suffix of K, M, B, T in the exponent's stead.
bool ParseDecimal(absl::string_view text, Decimal& out) {
  out = {};
  out.negative = TakeMinus(text);
  std::string digits = TakeDigits(text);
  const bool whole = !digits.empty();
  if (absl::ConsumePrefix(&text, ".")) {
    const std::string fraction = TakeDigits(text);
    if (fraction.empty() && !whole) return false;
    out.exponent -= static_cast<int64_t>(fraction.size());
    digits += fraction;
  } else if (!whole) {
    return false;
  }
  int64_t exponent = 0;
  if (!ParseExponent(text, exponent)) return false;
  out.exponent += exponent;
  const size_t first = digits.find_first_not_of('0');
  out.digits = first == std::string::npos ? "" : digits.substr(first);
  return true;
}

// What is wrong with the decimal as an integer, empty when `out` is set.
std::string ToInteger(Decimal d, int64_t& out) {
  while (d.exponent < 0 && !d.digits.empty() && d.digits.back() == '0') {
    d.digits.pop_back();
    ++d.exponent;
  }
  if (d.digits.empty()) {
    out = 0;
    return "";
  }
  if (d.exponent < 0) return "a whole number";
  constexpr char kTooLarge[] = "a whole number that fits in 64 bits";
  // 19 digits hold every int64. Checked before the zeros are written out: 1e9999 is no reason to.
  if (static_cast<int64_t>(d.digits.size()) + d.exponent > 19) return kTooLarge;
  const std::string text =
      (d.negative ? "-" : "") + d.digits + std::string(static_cast<size_t>(d.exponent), '0');
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? "" : kTooLarge;
}

}  // namespace

absl::StatusOr<int64_t> ParseInteger(absl::string_view text) {
  Decimal d;
  int64_t value = 0;
  if (!ParseDecimal(text, d)) return Expected("a whole number", text);
  if (const std::string wanted = ToInteger(d, value); !wanted.empty()) return Expected(wanted, text);
  return value;
}

absl::StatusOr<double> ParseNumber(absl::string_view text) {
  Decimal d;
  if (!ParseDecimal(text, d)) return Expected("a number", text);
  // from_chars rounds correctly and knows no locale, so that a recipe means the same on every machine.
  const std::string plain = absl::StrCat(d.negative ? "-" : "", d.digits.empty() ? "0" : d.digits, "e",
                                         d.digits.empty() ? 0 : d.exponent);
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return Expected("a number that a double can hold", text);
  return value;
}

absl::StatusOr<Amount> ParseAmount(absl::string_view text) {
  constexpr char kWhat[] = "an amount like '100 steps', '5M samples' or '300B tokens'";
  const size_t space = text.find(' ');
  if (space == absl::string_view::npos) {
    Decimal d;
    return Expected(ParseDecimal(text, d) ? absl::StrCat(kWhat, " (the unit is missing)") : kWhat, text);
  }
  const absl::string_view number = text.substr(0, space);
  const absl::string_view unit = absl::StripLeadingAsciiWhitespace(text.substr(space));
  Amount amount;
  if (unit == "steps" || unit == "step") {
    amount.unit = Unit::kSteps;
  } else if (unit == "samples" || unit == "sample") {
    amount.unit = Unit::kSamples;
  } else if (unit == "tokens" || unit == "token") {
    amount.unit = Unit::kTokens;
  } else {
    return Expected(kWhat, text);
  }
  Decimal d;
  if (!ParseDecimal(number, d)) return Expected(kWhat, text);
  if (const std::string wanted = ToInteger(d, amount.value); !wanted.empty()) {
    return Expected(absl::StrCat(wanted, " of ", unit), text);
  }
  return amount;
}

absl::StatusOr<int64_t> ParseDuration(absl::string_view text) {
  constexpr char kWhat[] = "a duration like '90s', '19h50m' or '3d'";
  constexpr struct {
    char unit;
    int64_t seconds;
  } kUnits[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
  absl::string_view rest = text;
  int64_t total = 0;
  size_t next = 0;  // units come from long to short, each once
  while (!rest.empty() || next == 0) {
    const std::string digits = TakeDigits(rest);
    // Nine digits of days are far inside 64 bits, and stoll does not throw.
    if (digits.empty() || digits.size() > 9 || rest.empty()) return Expected(kWhat, text);
    while (next < std::size(kUnits) && kUnits[next].unit != rest[0]) ++next;
    if (next == std::size(kUnits)) return Expected(kWhat, text);
    total += std::stoll(digits) * kUnits[next++].seconds;
    rest.remove_prefix(1);
  }
  return total;
}

std::string PrintNumber(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

std::string PrintAmount(const Amount& amount) {
  const char* unit = amount.unit == Unit::kSteps     ? "step"
                     : amount.unit == Unit::kSamples ? "sample"
                                                     : "token";
  return absl::StrCat(amount.value, " ", unit, amount.value == 1 ? "" : "s");
}

std::string PrintDuration(int64_t seconds) {
  if (seconds == 0) return "0s";
  std::string text;
  for (const auto& [unit, size] : {std::pair<char, int64_t>{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}) {
    if (const int64_t n = seconds / size; n > 0) absl::StrAppend(&text, n, std::string(1, unit));
    seconds %= size;
  }
  return text;
}

}  // namespace galley::recipe
