#include <fmt/format.h>

#include "mgmt/config/source_config.h"

namespace gnomon {
namespace {

class LineWriter {
public:
    explicit LineWriter(std::string start) : text_(std::move(start)) {}

    void flag(const char* name, bool given) {
        if (given) text_ += fmt::format(" {}", name);
    }
    template <typename T>
    void value(const char* name, const T& given, const T& usual) {
        // fmt writes the shortest text that reads back to the same double.
        if (given != usual) text_ += fmt::format(" {} {}", name, given);
    }
    template <typename T>
    void optional(const char* name, const std::optional<T>& given) {
        if (given) text_ += fmt::format(" {} {}", name, *given);
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

}  // namespace

std::string to_line(const SourceConfig& source) {
    const SourceOptions& o = source.options;
    const SourceOptions usual;
    LineWriter line(fmt::format("{} {}", to_string(source.kind), source.name));
    line.flag("ipv4", o.family == IpAddress::Family::V4);
    line.flag("ipv6", o.family == IpAddress::Family::V6);
    line.value("port", o.port, usual.port);
    line.value("minpoll", o.min_poll_log2_s, usual.min_poll_log2_s);
    line.value("maxpoll", o.max_poll_log2_s, usual.max_poll_log2_s);
    line.value("presend", o.presend_poll_log2_s, usual.presend_poll_log2_s);
    line.flag("iburst", o.iburst);
    line.flag("burst", o.burst);
    line.flag("offline", o.offline);
    line.flag("auto_offline", o.auto_offline);
    line.value("minstratum", o.min_stratum, usual.min_stratum);
    line.value("polltarget", o.poll_target, usual.poll_target);
    line.value("version", o.version, usual.version);
    line.value("maxsources", o.max_sources, usual.max_sources);
    line.optional("minsamples", o.min_samples);
    line.optional("maxsamples", o.max_samples);
    line.value("maxunreach", o.max_unreach_polls, usual.max_unreach_polls);
    line.value("filter", o.filter_polls, usual.filter_polls);
    line.flag("xleave", o.interleaved);
    line.flag("copy", o.copy);
    line.flag("prefer", o.prefer);
    line.flag("noselect", o.no_select);
    line.flag("trust", o.trust);
    line.flag("require", o.require);
    line.flag("extfield 10A", o.ext_net_correction);
    line.flag("extfield F323", o.ext_mono_root);
    line.flag("mesh", o.mesh);
    line.value("key", o.key_id, usual.key_id);
    line.value("maxdelay", o.max_delay_s, usual.max_delay_s);
    line.value("maxdelayratio", o.max_delay_ratio, usual.max_delay_ratio);
    line.value("maxdelaydevratio", o.max_delay_dev_ratio, usual.max_delay_dev_ratio);
    line.optional("maxdelayquant", o.max_delay_quantile);
    line.value("mindelay", o.min_delay_s, usual.min_delay_s);
    line.optional("asymmetry", o.asymmetry);
    line.value("offset", o.offset_s, usual.offset_s);
    return line.take();
}

}  // namespace gnomon
