#include "dataplane/socket/interface_stamping.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/socket/udp_socket.h"

namespace gnomon {

namespace {

/// Any datagram socket will do to ask about interfaces.
class Query {
public:
    explicit Query(const std::string& name)
        : name_(name), socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
        if (!socket_.is_open()) socket_ = FileDescriptor(::socket(AF_INET6, SOCK_DGRAM, 0));
    }
    bool ask(unsigned long request, void* data) {
        std::memset(&request_, 0, sizeof(request_));
        if (name_.size() >= sizeof(request_.ifr_name)) {
            errno = ENODEV;
            return false;
        }
        std::memcpy(request_.ifr_name, name_.c_str(), name_.size() + 1);
        if (data != nullptr) request_.ifr_data = static_cast<char*>(data);
        return ioctl(socket_.get(), request, &request_) == 0;
    }
    int index() const noexcept { return request_.ifr_ifindex; }

private:
    std::string name_;
    FileDescriptor socket_;
    ifreq request_{};
};

bool configure(Query& query, int filter) {
    hwtstamp_config config{};
    config.tx_type = HWTSTAMP_TX_ON;
    config.rx_filter = filter;
    // A driver may give more than was asked for.
    if (query.ask(SIOCSHWTSTAMP, &config)) return true;
    const int code = errno;
    hwtstamp_config current{};
    if (query.ask(SIOCGHWTSTAMP, &current) && current.tx_type == HWTSTAMP_TX_ON &&
        current.rx_filter == filter) {
        return true;
    }
    errno = code;
    return false;
}

}  // namespace

int choose_receive_filter(ReceiveFilter wish, std::uint32_t filters) noexcept {
    const auto first_of = [filters](std::initializer_list<int> wanted) {
        for (const int filter : wanted) {
            if ((filters >> filter & 1U) != 0) return filter;
        }
        return static_cast<int>(HWTSTAMP_FILTER_NONE);
    };
    switch (wish) {
        case ReceiveFilter::Any: return first_of({HWTSTAMP_FILTER_NTP_ALL, HWTSTAMP_FILTER_ALL});
        case ReceiveFilter::Ntp: return HWTSTAMP_FILTER_NTP_ALL;
        case ReceiveFilter::Ptp:
            return first_of({HWTSTAMP_FILTER_PTP_V2_L4_EVENT, HWTSTAMP_FILTER_PTP_V2_EVENT});
        case ReceiveFilter::All: return HWTSTAMP_FILTER_ALL;
        case ReceiveFilter::None: break;
    }
    return HWTSTAMP_FILTER_NONE;
}

SysResult<StampingInterface> enable_stamping(const std::string& name, ReceiveFilter filter) {
    Query query(name);
    if (!query.ask(SIOCGIFINDEX, nullptr)) return Unexpected(SysError::last("interface " + name));
    StampingInterface result;
    result.name = name;
    result.index = query.index();

    ethtool_ts_info info{};
    info.cmd = ETHTOOL_GET_TS_INFO;
    if (!query.ask(SIOCETHTOOL, &info)) {
        return Unexpected(SysError::last("timestamping of " + name));
    }
    StampingCapabilities can;
    can.receive = (info.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE) != 0;
    can.transmit = (info.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE) != 0;
    can.raw_clock = (info.so_timestamping & SOF_TIMESTAMPING_RAW_HARDWARE) != 0;
    can.clock_index = info.phc_index;
    can.filters = info.rx_filters;
    if (!can.is_complete()) {
        return Unexpected(SysError{"hardware timestamping or clock of " + name, EOPNOTSUPP});
    }
    const int chosen = choose_receive_filter(filter, can.filters);
    if (!configure(query, chosen)) {
        return Unexpected(SysError::last("switching on timestamping of " + name));
    }
    result.clock_index = can.clock_index;
    result.receives = chosen != HWTSTAMP_FILTER_NONE;
    return result;
}

std::vector<std::string> interface_names() {
    std::vector<std::string> names;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return names;
    for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
        if (item->ifa_name == nullptr) continue;
        if (std::find(names.begin(), names.end(), item->ifa_name) == names.end()) {
            names.emplace_back(item->ifa_name);
        }
    }
    freeifaddrs(list);
    return names;
}

int link_speed(const std::string& name) {
    Query query(name);
    // The newer ETHTOOL_GLINKSETTINGS tells no more about the speed.
    ethtool_cmd command{};
    command.cmd = ETHTOOL_GSET;
    if (!query.ask(SIOCETHTOOL, &command)) return 0;
    const std::uint32_t speed = ethtool_cmd_speed(&command);
    return speed == static_cast<std::uint32_t>(SPEED_UNKNOWN) || speed == 0xffff
               ? 0
               : static_cast<int>(std::min<std::uint32_t>(speed, 10'000'000));
}

}  // namespace gnomon
