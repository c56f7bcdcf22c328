#include "dataplane/dpdk/xdp_control.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "dataplane/dpdk/descriptors.h"
#include "dataplane/dpdk/xdp/control.h"

namespace gnomon {

namespace {

constexpr std::size_t kMaxMaps = 16;

/// The map of the program's variables.
int control_map(int program) {
    std::array<std::uint32_t, kMaxMaps> ids{};
    bpf_prog_info info{};
    info.nr_map_ids = kMaxMaps;
    info.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) return -1;
    for (std::uint32_t i = 0; i < info.nr_map_ids && i < kMaxMaps; ++i) {
        const int map = bpf_map_get_fd_by_id(ids[i]);
        if (map < 0) continue;
        bpf_map_info map_info{};
        size = sizeof(map_info);
        const bool known = bpf_obj_get_info_by_fd(map, &map_info, &size) == 0;
        const std::string_view name = map_info.name;
        if (known && name.find(".bss") != std::string_view::npos &&
            map_info.value_size == sizeof(gnomon_xdp_control)) {
            return map;
        }
        close(map);
    }
    errno = ENOENT;
    return -1;
}

/// Driver memory is used by an AF_XDP socket of this process on that interface. Its rings would be
/// taken down with the program.
bool is_zero_copy(int interface_index) {
    bool zero_copy = false;
    for_each_descriptor([&](int fd) {
        sockaddr_xdp address{};
        socklen_t size = sizeof(address);
        xdp_options options{};
        int domain = 0;
        socklen_t domain_size = sizeof(domain);
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 || domain != AF_XDP) {
            return;
        }
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
            static_cast<int>(address.sxdp_ifindex) != interface_index) {
            return;
        }
        size = sizeof(options);
        if (getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &size) != 0 ||
            (options.flags & XDP_OPTIONS_ZEROCOPY) != 0) {
            zero_copy = true;
        }
    });
    return zero_copy;
}

}  // namespace

SysResult<std::unique_ptr<XdpControl>> XdpControl::open(int interface_index) {
    std::unique_ptr<XdpControl> control(new XdpControl());
    std::uint32_t id = 0;
    if (const int code = bpf_xdp_query_id(interface_index, 0, &id); code != 0 || id == 0) {
        return Unexpected(SysError{"looking for the XDP program", code != 0 ? -code : ENOENT});
    }
    control->program_ = bpf_prog_get_fd_by_id(id);
    if (control->program_ < 0) return Unexpected(SysError::last("opening the XDP program"));
    const int map = control_map(control->program_);
    if (map < 0) return Unexpected(SysError::last("variables of the XDP program"));
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    control->mapped_ = (sizeof(gnomon_xdp_control) + page - 1) / page * page;
    void* memory = mmap(nullptr, control->mapped_, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    const int code = errno;
    close(map);
    if (memory == MAP_FAILED) {
        return Unexpected(SysError{"mapping variables of the XDP program", code});
    }
    control->control_ = static_cast<gnomon_xdp_control*>(memory);
    if (!is_zero_copy(interface_index) && bpf_xdp_detach(interface_index, 0, nullptr) == 0) {
        control->link_ = bpf_link_create(control->program_, interface_index, BPF_XDP, nullptr);
        if (control->link_ < 0) bpf_xdp_attach(interface_index, control->program_, 0, nullptr);
    }
    return control;
}

XdpControl::~XdpControl() {
    if (control_ != nullptr) {
        set_taking(false, false);
        munmap(control_, mapped_);
    }
    if (link_ >= 0) close(link_);
    if (program_ >= 0) close(program_);
}

void XdpControl::set_taking(bool taking, bool all) noexcept {
    const __u32 what = !taking ? GNOMON_XDP_NONE : all ? GNOMON_XDP_ALL : GNOMON_XDP_NTP;
    std::atomic_ref(control_->taking).store(what, std::memory_order_relaxed);
}

void XdpControl::set_ntp_port(std::uint16_t port) noexcept {
    std::atomic_ref(control_->ntp_port).store(port, std::memory_order_relaxed);
}

void XdpControl::set_listened(std::uint16_t port, bool listened) noexcept {
    auto word = std::atomic_ref(control_->listened[port / 64]);
    const __u64 bit = __u64{1} << port % 64;
    word.store(listened ? word.load(std::memory_order_relaxed) | bit
                        : word.load(std::memory_order_relaxed) & ~bit,
               std::memory_order_relaxed);
}

}  // namespace gnomon
