#pragma once

/// Ancillary data of datagrams: stamps, local addresses, transmit requests. Internal to
/// dataplane/socket.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "dataplane/port/port.h"
#include "dataplane/wire/address.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// What the kernel says about a datagram.
struct ReceivedControl {
    IpAddress local;
    int interface_index = 0;
    SystemTime software;            ///< zero: none
    std::int64_t hardware_ns = 0;   ///< raw count of the NIC's clock; 0: none
    int stamp_interface_index = 0;  ///< of the physical interface below bridges and bonds
    std::uint16_t frame_length = 0;
    std::uint32_t transmit_id = 0;  ///< of a transmit stamp, when ids are in use; else 0
};
ReceivedControl parse_control(const msghdr& message) noexcept;

/// Upper bound of what `write_control` needs.
inline constexpr std::size_t kSendControlSize = 128;
/// Room for everything that the kernel or a simulator attaches.
inline constexpr std::size_t kReceiveControlSize = 256;

/// Fills message.msg_control (kSendControlSize bytes at `buffer`); none when nothing is needed.
/// `stamp_flags`: SOF_TIMESTAMPING_TX_*, 0: no stamp for this datagram. `transmit_id`: what its stamp
/// shall be known by, 0: nothing.
void write_control(msghdr& message, void* buffer, const TxDatagram& datagram,
                   std::uint32_t stamp_flags, std::uint32_t transmit_id) noexcept;

}  // namespace gnomon
