#pragma once

/// Timestamping of network interfaces: finding out what one can, switching it on, its speed. System
/// calls only; needs CAP_NET_ADMIN to switch anything. Linux: Documentation/networking/timestamping.rst,
/// ETHTOOL_GET_TS_INFO, SIOCSHWTSTAMP.

#include <cstdint>
#include <string>
#include <vector>

#include "servo/units/result.h"

namespace gnomon {

/// Which received packets shall be stamped (`rxfilter`).
enum class ReceiveFilter : std::uint8_t {
    Any,   ///< the most specific one that has NTP packets in it; none where there is none
    None,  ///< transmitted packets only
    Ntp,
    Ptp,  ///< PTP version 2 events (NTP over PTP)
    All,
};

/// What an interface says it can do; from ETHTOOL_GET_TS_INFO.
struct StampingCapabilities {
    bool receive = false;
    bool transmit = false;
    bool raw_clock = false;     ///< stamps are of its own clock
    int clock_index = -1;       ///< of /dev/ptpN; < 0: it has no clock
    std::uint32_t filters = 0;  ///< bits of HWTSTAMP_FILTER_*
    bool is_complete() const noexcept {
        return receive && transmit && raw_clock && clock_index >= 0;
    }
};

/// HWTSTAMP_FILTER_* for a wish, given the bits of what there is. Pure.
int choose_receive_filter(ReceiveFilter wish, std::uint32_t filters) noexcept;

struct StampingInterface {
    std::string name;
    int index = 0;
    int clock_index = -1;
    bool receives = true;  ///< false: transmit stamps only
};

/// Switches stamping on. A driver that does not let itself be configured will do if it is configured
/// that way already. Errors name the interface and the step that failed.
SysResult<StampingInterface> enable_stamping(const std::string& name, ReceiveFilter filter);

/// All interfaces of the machine, by name, each once.
std::vector<std::string> interface_names();

/// In Mbit/s; 0 if it is not known (no link).
int link_speed(const std::string& name);

}  // namespace gnomon
