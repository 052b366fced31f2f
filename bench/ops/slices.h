// Timing on a machine whose speed changes by itself: every measured thing runs one short slice in turn, round
// after round, so that all of them see the same conditions. Compare medians with medians and bests with bests
// of one run; never quote a number of one run against a number of another.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace galley::bench {

class Slices {
 public:
  struct Item {
    std::string name;
    double work = 0;  // FLOPs or bytes of one slice, for the caller's own rates
    std::function<void()> run;
    std::vector<double> seconds;  // of each slice

    double Best() const { return *std::min_element(seconds.begin(), seconds.end()); }
    double Median() const {
      std::vector<double> sorted = seconds;
      std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                       sorted.end());
      return sorted[sorted.size() / 2];
    }
  };

  void Add(std::string name, double work, std::function<void()> run) {
    items_.push_back({std::move(name), work, std::move(run), {}});
  }

  // One untimed round, then rounds until `seconds` are over, at least three.
  void Run(double seconds) {
    for (Item& item : items_) item.run();
    double begin = Now();
    for (int round = 0; round < 3 || Now() - begin < seconds; ++round) Round();
  }

  // One slice of every item.
  void Round() {
    for (Item& item : items_) {
      double t = Now();
      item.run();
      item.seconds.push_back(Now() - t);
    }
  }

  const std::vector<Item>& items() const { return items_; }

  static double Now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 private:
  std::vector<Item> items_;
};

}  // namespace galley::bench
