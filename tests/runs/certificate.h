// A self-made certificate, as a small site would make one.
#pragma once

#include <string>

namespace galley::testing {

// Writes a fresh key (0600) and a certificate for localhost and 127.0.0.1 that it signs itself, valid for an
// hour, both PEM. The certificate is its own authority.
void MakeCertificate(const std::string& cert_path, const std::string& key_path);

}  // namespace galley::testing
