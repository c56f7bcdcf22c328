#pragma once

/// `DatagramSink`: where the network's sockets, and the server's threads, hand what they received.
/// Called from the control loop's thread.

#include "dataplane/port/port.h"
#include "mgmt/engine/services.h"

namespace gnomon {

class DatagramSink {
public:
    virtual ~DatagramSink() = default;
    virtual void on_datagram(SocketHandle socket, const RxDatagram& datagram) = 0;
    virtual void on_transmit_stamp(SocketHandle socket, const TxStampReport& report) = 0;
    /// An ICMP error or its like on a client's socket.
    virtual void on_socket_error(SocketHandle socket) = 0;
};

}  // namespace gnomon
