#include "exporters/prometheus.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"

namespace galley::exporters {
namespace {

using metrics::StepRecord;
using ::testing::HasSubstr;
using ::testing::Not;

int PortOf(const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  return port;
}

// What a scraper gets: the body of GET /metrics.
std::string Scrape(const std::string& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(PortOf(address)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    ::close(fd);
    return "";
  }
  const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string reply;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    reply.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  EXPECT_THAT(reply, HasSubstr("200 OK"));
  return reply.substr(reply.find("\r\n\r\n") + 4);
}

PrometheusOptions Options(const std::string& listen = "127.0.0.1:0") {
  PrometheusOptions options;
  options.listen = listen;
  options.run = "quickstart";
  options.run_id = "01ab";
  options.plan_hash = "cafe";
  options.node = "n1";
  return options;
}

StepRecord Step(int64_t step) {
  StepRecord r;
  r.Set<"step">(step);
  r.Set<"samples">(16 * step);
  r.Set<"tokens">(4096 * step);
  r.Set<"loss">(2.5);
  r.Set<"lr">(1e-3);
  r.Set<"grad_norm">(0.75);
  r.Set<"global_batch">(int64_t{16});
  r.Set<"global_batch_tokens">(int64_t{4096});
  r.Set<"step_seconds">(0.3);
  r.Set<"data_seconds">(0.01);
  r.Set<"tokens_per_second">(13653.0);
  return r;
}

TEST(Prometheus, ServesTheLastStepUnderItsNames) {
  auto sink = *ServePrometheus(Options());
  ASSERT_TRUE(sink->Write(Step(1)).ok());
  ASSERT_TRUE(sink->Write(Step(2)).ok());
  sink->CheckpointCommitted(absl::FromUnixSeconds(1'700'000'000));
  const std::string body = Scrape(sink->address());
  for (const char* line : {
           "galley_run_info{plan_hash=\"cafe\",run=\"quickstart\",run_id=\"01ab\"} 1\n",
           "galley_run_step{run=\"quickstart\"} 2\n",
           "galley_run_samples{run=\"quickstart\"} 32\n",
           "galley_run_tokens{run=\"quickstart\"} 8192\n",
           "galley_run_tokens_processed_total{run=\"quickstart\"} 8192\n",
           "galley_run_loss{run=\"quickstart\"} 2.5\n",
           "galley_run_learning_rate{run=\"quickstart\"} 0.001\n",
           "galley_run_grad_norm{run=\"quickstart\"} 0.75\n",
           "galley_run_global_batch_tokens{run=\"quickstart\"} 4096\n",
           "galley_run_tokens_per_second{run=\"quickstart\"} 13653\n",
           "galley_run_step_duration_seconds_count{run=\"quickstart\"} 2\n",
           "galley_run_step_duration_seconds_bucket{run=\"quickstart\",le=\"0.25\"} 0\n",
           "galley_run_step_duration_seconds_bucket{run=\"quickstart\",le=\"0.5\"} 2\n",
           "galley_node_data_wait_seconds{node=\"n1\",run=\"quickstart\"} 0.01\n",
           "galley_run_last_checkpoint_timestamp_seconds{run=\"quickstart\"} 1700000000\n",
       }) {
    EXPECT_THAT(body, HasSubstr(line));
  }
}

TEST(Prometheus, WhatIsNotMeasuredIsAbsent) {
  auto sink = *ServePrometheus(Options());
  EXPECT_THAT(Scrape(sink->address()), Not(HasSubstr("galley_run_loss{")));
  StepRecord record = Step(1);
  record.Set<"mfu">(0.25);
  record.Set<"validation_loss">(3.0);
  record.Set<"checkpoint_stall_seconds">(0.125);
  ASSERT_TRUE(sink->Write(record).ok());
  std::string body = Scrape(sink->address());
  EXPECT_THAT(body, HasSubstr("galley_run_mfu_ratio{run=\"quickstart\"} 0.25\n"));
  EXPECT_THAT(body, HasSubstr("galley_run_validation_loss{run=\"quickstart\"} 3\n"));
  EXPECT_THAT(body, Not(HasSubstr("last_checkpoint_timestamp_seconds{")));
  ASSERT_TRUE(sink->Write(Step(2)).ok());
  body = Scrape(sink->address());
  EXPECT_THAT(body, Not(HasSubstr("galley_run_mfu_ratio{")));
  // The last evaluation and the last checkpoint stay true on the steps after them.
  EXPECT_THAT(body, HasSubstr("galley_run_validation_loss{run=\"quickstart\"} 3\n"));
  EXPECT_THAT(body, HasSubstr("galley_checkpoint_stall_seconds{run=\"quickstart\"} 0.125\n"));
}

TEST(Prometheus, ServesEverySeriesOfTheTable) {
  StepRecord record;
  for (size_t i = 0; i < metrics::kMetricCount; ++i) {
    if (metrics::kMetrics[i].kind == metrics::Kind::kRealBySet) {
      record.SetOf(i, "wiki", 2);
    } else {
      record.SetBits(i, metrics::kMetrics[i].kind == metrics::Kind::kReal ? std::bit_cast<uint64_t>(2.0) : 2);
    }
  }
  auto sink = *ServePrometheus(Options());
  const std::string before = Scrape(sink->address());
  ASSERT_TRUE(sink->Write(record).ok());
  const std::string after = Scrape(sink->address());
  for (const metrics::Metric& metric : metrics::kMetrics) {
    const char* labels = metric.kind == metrics::Kind::kRealBySet ? "{run=\"quickstart\",set=\"wiki\"} 2\n"
                                                                  : "{run=\"quickstart\"} 2\n";
    const auto expect = [&](const char* series, const std::string& rest) {
      if (series == nullptr) return;
      EXPECT_THAT(before, Not(HasSubstr(series + std::string("{"))));
      EXPECT_THAT(after, HasSubstr(series + rest));
    };
    expect(metric.gauge, labels);
    expect(metric.node_gauge, "{node=\"n1\",run=\"quickstart\"} 2\n");
    expect(metric.counter, labels);
    expect(metric.histogram, "_sum{run=\"quickstart\"} 2\n");
  }
}

TEST(Prometheus, StaysWithinTheLabelBudget) {
  auto sink = *ServePrometheus(Options());
  for (int i = 1; i < 50; ++i) ASSERT_TRUE(sink->Write(Step(i)).ok());
  int series = 0, foreign = 0;
  const std::string body = Scrape(sink->address());
  for (absl::string_view line : absl::StrSplit(body, '\n')) {
    if (line.empty() || line[0] == '#') continue;
    ++(absl::StartsWith(line, "galley_") ? series : foreign);
    for (const char* label : {"rank=", "step=", "attempt=", "path="}) {
      EXPECT_THAT(std::string(line), Not(HasSubstr(label)));
    }
  }
  EXPECT_GT(series, 20);
  EXPECT_LE(series, 150);
  EXPECT_LE(foreign, 12);  // of the exporting library itself
}

TEST(Prometheus, ATakenPortGivesAnotherOneAndSaysWhich) {
  auto first = *ServePrometheus(Options());
  auto second = *ServePrometheus(Options(first->address()));
  EXPECT_NE(first->address(), second->address());
  ASSERT_TRUE(second->Write(Step(9)).ok());
  EXPECT_THAT(Scrape(second->address()), HasSubstr("galley_run_step{run=\"quickstart\"} 9\n"));
}

TEST(Prometheus, OnlyLoopbackAddressesAreServed) {
  for (const char* listen : {"0.0.0.0:9464", ":9464", "192.168.1.4:9464", "[::]:9464", "example.org:80"}) {
    auto sink = ServePrometheus(Options(listen));
    EXPECT_EQ(sink.status().code(), absl::StatusCode::kInvalidArgument) << listen;
    EXPECT_THAT(std::string(sink.status().message()), HasSubstr("loopback")) << listen;
  }
  for (const char* listen :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"}) {
    EXPECT_THAT(std::string(ServePrometheus(Options(listen)).status().message()), HasSubstr("host:port"));
  }
}

TEST(Prometheus, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  auto sink = *ServePrometheus(Options());
  ASSERT_TRUE(sink->Write(Step(1)).ok());
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics");
  ASSERT_TRUE(AtomicWrite(path, Scrape(sink->address())).ok());
  const std::string check = absl::StrCat("promtool check metrics < ", path, " > ", path, ".out 2>&1");
  const int code = std::system(check.c_str());
  EXPECT_EQ(code, 0) << *ReadFile(path + ".out");
}

}  // namespace
}  // namespace galley::exporters
