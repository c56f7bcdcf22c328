#pragma once

/// `Announcements`: the frames by which an exclusive port makes itself known on its links. Part of
/// `FrameServer`.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/port/dataplane_config.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

class Announcements {
public:
    Announcements(const MacAddress& mac, std::span<const DataplaneAddress> addresses);

    std::size_t count() const noexcept { return items_.size(); }
    /// See `FrameServer::announce`.
    std::size_t build(std::size_t index, std::span<std::uint8_t> out) const noexcept;
    /// See `FrameServer::multicast_groups`.
    const std::vector<MacAddress>& multicast_groups() const noexcept { return macs_; }

private:
    struct Item {
        std::uint16_t vlan = 0;
        IpAddress address;              ///< announced; of reports the source
        std::vector<IpAddress> groups;  ///< of reports, else empty
    };

    MacAddress mac_;
    std::vector<Item> items_;
    std::vector<MacAddress> macs_;
};

}  // namespace gnomon
