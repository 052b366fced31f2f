#include "service/trainctl/output/curve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/metrics/json_line.h"

namespace galley::trainctl {
namespace {

struct Point {
  double loss = 0;
  std::optional<double> validation;
};

absl::StatusOr<std::map<int64_t, Point>> ReadPoints(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  std::map<int64_t, Point> points;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const auto record = metrics::ReadJsonLine(line);
    if (!record.has_value()) continue;
    if (const auto loss = record->Get<"loss">()) {
      points[record->step()] = {*loss, record->Get<"validation_loss">()};
    }
  }
  if (points.empty()) return absl::NotFoundError(absl::StrCat(path, ": no step is recorded"));
  return points;
}

}  // namespace

absl::StatusOr<std::string> LossCurve(const std::string& metrics_path, const CurveSize& size) {
  ASSIGN_OR_RETURN(const auto points, ReadPoints(metrics_path));
  const int64_t first = points.begin()->first, last = points.rbegin()->first;
  const auto column = [&](int64_t step) {
    return static_cast<size_t>((step - first) * size.columns / std::max<int64_t>(last - first + 1, 1));
  };
  std::vector<double> sums(static_cast<size_t>(size.columns), 0);
  std::vector<int> counts(sums.size(), 0);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& [step, point] : points) {
    sums[column(step)] += point.loss;
    ++counts[column(step)];
  }
  for (size_t c = 0; c < sums.size(); ++c) {
    if (counts[c] == 0) continue;
    sums[c] /= counts[c];
    low = std::min(low, sums[c]);
    high = std::max(high, sums[c]);
  }
  for (const auto& [step, point] : points) {
    if (!point.validation.has_value()) continue;
    low = std::min(low, *point.validation);
    high = std::max(high, *point.validation);
  }
  const double span = std::max(high - low, 1e-9);
  std::vector<std::string> canvas(static_cast<size_t>(size.rows), std::string(sums.size(), ' '));
  const auto row = [&](double loss) {
    return static_cast<size_t>(std::lround((high - loss) / span * (size.rows - 1)));
  };
  for (size_t c = 0; c < sums.size(); ++c) {
    if (counts[c] > 0) canvas[row(sums[c])][c] = '*';
  }
  for (const auto& [step, point] : points) {
    if (point.validation.has_value()) canvas[row(*point.validation)][column(step)] = 'o';
  }
  std::string out = "loss, nats a token (* training, o validation)\n";
  for (int r = 0; r < size.rows; ++r) {
    absl::StrAppendFormat(&out, "%8.3f |%s\n", high - span * r / std::max(size.rows - 1, 1),
                          canvas[static_cast<size_t>(r)]);
  }
  absl::StrAppend(&out, "         +", std::string(sums.size(), '-'), "\n");
  const std::string left = absl::StrCat("step ", first), right = absl::StrCat(last);
  const size_t gap = sums.size() > left.size() + right.size() ? sums.size() - left.size() - right.size() : 1;
  absl::StrAppend(&out, "          ", left, std::string(gap, ' '), right, "\n");
  return out;
}

}  // namespace galley::trainctl
