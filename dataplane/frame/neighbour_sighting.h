#pragma once

/// `NeighbourSighting`: what a frame of ARP or neighbour discovery told of a station on the link. A
/// value, so that it can be handed from the worker that saw it to whoever keeps the `NeighbourTable`.

#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

struct NeighbourSighting {
    enum class Kind : std::uint8_t {
        Request,      ///< asked for one of our addresses
        Reply,        ///< said where it is, to us: may be the answer to what we asked
        Unsolicited,  ///< said where it is, to everybody
    };
    Kind kind = Kind::Unsolicited;
    IpAddress ip;
    MacAddress mac{};
    std::uint16_t vlan = 0;  ///< innermost tag, 0: none
};

}  // namespace gnomon
