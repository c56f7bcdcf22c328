/// Ancillary data of datagrams, in a buffer of exactly its size.

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/socket/control_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > gnomon::kReceiveControlSize) return 0;
    // operator new aligns it as a control buffer has to be.
    std::vector<std::uint8_t> control(data, data + size);
    msghdr message{};
    message.msg_control = control.empty() ? nullptr : control.data();
    message.msg_controllen = control.size();
    (void)gnomon::parse_control(message);
    return 0;
}
