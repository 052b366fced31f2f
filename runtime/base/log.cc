#include "runtime/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace galley {
namespace {

std::unique_ptr<spdlog::logger> Make(absl::string_view process) {
  auto logger = std::make_unique<spdlog::logger>(std::string(process.data(), process.size()),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %n: %v", spdlog::pattern_time_type::utc);
  return logger;
}

std::unique_ptr<spdlog::logger>& Logger() {
  static std::unique_ptr<spdlog::logger> logger = Make("galley");
  return logger;
}

spdlog::level::level_enum Level(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void InitLog(absl::string_view process) { Logger() = Make(process); }

void Log(LogLevel level, absl::string_view message) {
  Logger()->log(Level(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace galley
