// All-reduce between processes on this machine: ours and gloo's ring, in turn in one run, since the machine's
// speed changes from second to second. Prints the median and the best of each and their ratios.
//
//   bench-allreduce [megabytes = 100] [processes = 2] [rounds = 20]
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/comm/ucx_group.h"

#ifdef GALLEY_WITH_GLOO
#include <gloo/allreduce.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#endif

namespace galley {
namespace {

// One end of a pair of connected sockets that keep the bounds of messages; lists of addresses fit in one.
std::string RecvText(int fd) {
  std::string text(1 << 16, '\0');
  ssize_t got = recv(fd, text.data(), text.size(), 0);
  CHECK_GT(got, 0);
  text.resize(static_cast<size_t>(got));
  return text;
}

void SendText(int fd, const std::string& text) {
  CHECK_EQ(send(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
}

std::unique_ptr<comm::Group> Connect(int rank, int size, int fd) {
  comm::UcxOptions options;
  options.cookie = 1;
  auto endpoint = comm::UcxEndpoint::Create(options);
  CHECK(endpoint.ok()) << endpoint.status().ToString();
  SendText(fd, (*endpoint)->address());
  std::vector<std::string> addresses;
  for (int r = 0; r < size; ++r) addresses.push_back(RecvText(fd));
  auto group = (*endpoint)->Connect(rank, addresses);
  CHECK(group.ok()) << group.status().ToString();
  return *std::move(group);
}

// Processor time of this process, all threads.
double CpuSeconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Series {
  std::vector<double> seconds;
  std::vector<double> cpu_seconds;

  void Time(const std::function<void()>& work, bool counts) {
    double cpu = CpuSeconds();
    auto start = std::chrono::steady_clock::now();
    work();
    if (!counts) return;
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    cpu_seconds.push_back(CpuSeconds() - cpu);
  }
  double BestCpu() const { return *std::min_element(cpu_seconds.begin(), cpu_seconds.end()); }
  double Best() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double Median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

void Print(const char* name, const Series& series, double megabytes) {
  std::printf("%-7s median %7.1f ms  best %7.1f ms (%.2f GB/s of data)  processor time at best %.1f ms\n",
              name, 1e3 * series.Median(), 1e3 * series.Best(), megabytes / 1e3 / series.Best(),
              1e3 * series.BestCpu());
}

#ifdef GALLEY_WITH_GLOO
std::shared_ptr<gloo::Context> ConnectGloo(int rank, int size, const std::string& dir) {
  gloo::transport::tcp::attr attributes;
  attributes.hostname = "127.0.0.1";
  auto device = gloo::transport::tcp::CreateDevice(attributes);
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, size);
  gloo::rendezvous::FileStore store(dir);
  context->connectFullMesh(store, device);
  return context;
}
#endif

int Rank(int rank, int size, double megabytes, int rounds, int fd, const std::string& dir) {
  const auto elements = static_cast<int64_t>(megabytes * 1e6 / sizeof(float));
  std::vector<float> data(static_cast<size_t>(elements), 1.0f);
  View view(data.data(), DType::kF32, Shape{elements});
  std::unique_ptr<comm::Group> group = Connect(rank, size, fd);
  Stream stream = CpuStream(1);
  auto must = [](const absl::Status& status) { CHECK(status.ok()) << status.ToString(); };
  auto ours = [&] { must(group->AllReduceSum(stream, view)); };
  auto together = [&] { must(group->Barrier()); };
  Series galley_series, gloo_series;
#ifdef GALLEY_WITH_GLOO
  auto context = ConnectGloo(rank, size, dir);
  gloo::AllreduceOptions options(context);
  options.setOutput(data.data(), data.size());
  options.setAlgorithm(gloo::AllreduceOptions::Algorithm::RING);
  options.setReduceFunction(
      [](void* out, const void* a, const void* b, size_t n) { gloo::sum<float>(out, a, b, n); });
#else
  (void)dir;
#endif
  for (int round = -2; round < rounds; ++round) {  // the first two warm up
    std::fill(data.begin(), data.end(), 1.0f);
    together();
    galley_series.Time(ours, round >= 0);
    CHECK_EQ(data[0], static_cast<float>(size));
#ifdef GALLEY_WITH_GLOO
    std::fill(data.begin(), data.end(), 1.0f);
    together();
    gloo_series.Time([&] { gloo::allreduce(options); }, round >= 0);
#endif
  }
  if (rank == 0) {
    std::printf("all-reduce of %.0f MB f32 between %d processes, %d rounds\n", megabytes, size, rounds);
    Print("galley", galley_series, megabytes);
    if (!gloo_series.seconds.empty()) {
      Print("gloo", gloo_series, megabytes);
      std::printf("galley / gloo: %.2f of medians, %.2f of bests\n",
                  galley_series.Median() / gloo_series.Median(), galley_series.Best() / gloo_series.Best());
    }
    std::fflush(stdout);
  }
  return 0;
}

int Main(int argc, char** argv) {
  const double megabytes = argc > 1 ? std::atof(argv[1]) : 100;
  const int size = argc > 2 ? std::atoi(argv[2]) : 2;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 20;
  if (megabytes <= 0 || size < 1 || rounds < 1) {
    std::fprintf(stderr, "usage: bench-allreduce [megabytes] [processes] [rounds]\n");
    return 2;
  }
  TempDir dir;
  std::vector<int> parent_ends;
  std::vector<pid_t> children;
  for (int r = 0; r < size; ++r) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    pid_t pid = fork();
    if (pid == 0) _exit(Rank(r, size, megabytes, rounds, fds[1], dir.path()));
    close(fds[1]);
    parent_ends.push_back(fds[0]);
    children.push_back(pid);
  }
  std::vector<std::string> addresses;
  for (int fd : parent_ends) addresses.push_back(RecvText(fd));
  for (int fd : parent_ends) {
    for (const std::string& address : addresses) SendText(fd, address);
  }
  bool failed = false;
  for (pid_t pid : children) {
    int status;
    waitpid(pid, &status, 0);
    failed |= status != 0;
  }
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) { return galley::Main(argc, argv); }
