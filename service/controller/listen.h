// Where a controller may listen.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace galley::service {

// The path of "unix:PATH"; empty for any other address.
std::string UnixPath(const std::string& address);

// localhost, 127.0.0.0/8 and ::1. Names are not looked up.
bool IsLoopback(absl::string_view host_and_port);

// Makes the socket's folder if missing (0700), refuses one that is too long or that a live process listens
// on, and removes a dead one.
absl::Status PrepareSocket(const std::string& path);

}  // namespace galley::service
